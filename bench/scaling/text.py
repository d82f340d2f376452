"""The answer of `bench scale --ratio`, for people and for scripts."""

from typing import TypedDict

from bench.scaling.widths import Scaled


class ByRatio(TypedDict):
    """What was asked for, as JSON repeats it."""

    architecture: str
    dataset: str
    method: str
    ratio: float
    ratio_of: str
    count: str


def as_data(asked: ByRatio, scaled: Scaled) -> dict[str, object]:
    """Return the answer for scripts: widths, what they cost, and how far they are from the target."""
    of = {"width": "params"}.get(asked["ratio_of"], asked["ratio_of"])
    targets = {f"target_{name}": scaled.target if of == name else None for name in ("params", "macs")}
    if of not in ("params", "macs"):
        targets[f"target_{of}"] = scaled.target
    return {
        **asked,
        "widths": scaled.widths,
        "params": scaled.params,
        "macs": scaled.macs,
        **targets,
        "error": scaled.error,
        "multiplier" if asked["method"] == "uniform" else "tau": scaled.knob,
        "fit": scaled.fit,
        "fit_quality": scaled.fit_quality,
        "fit_dataset": scaled.fit_dataset,
        "fit_resolution": scaled.fit_resolution,
        "align": scaled.align,
    }


def as_text(asked: ByRatio, scaled: Scaled) -> str:
    """Return the answer for people."""
    by = f", in multiples of {scaled.align}" if scaled.align else ""
    by += f", fit {scaled.fit} ({scaled.fit_quality})" if scaled.fit else ""
    if asked["ratio_of"] in ("latency", "memory"):
        from bench.scaling.budgets import shown

        target = f"{shown(asked['ratio_of'], scaled.target)} of {asked['ratio_of']}"
    else:
        target = f"{scaled.target:,.0f} {'MACs' if asked['ratio_of'] == 'macs' else 'parameters'}"
    return (
        f"{asked['architecture']} on {asked['dataset']}: "
        f"{asked['method']} at {asked['ratio']:g} of {asked['ratio_of']}{by}\n"
        f"widths  {' '.join(map(str, scaled.widths))}\n"
        f"params  {scaled.params:,}\n"
        f"MACs    {scaled.macs:,}\n"
        f"target  {target}, missed by {scaled.error:+.3%}"
    )
