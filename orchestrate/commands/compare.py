"""`orchestrate compare`: what moved from one run to another, for people and for CI."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli_app import options_of
from orchestrate.commands import complete
from orchestrate.commands.run import Results

if TYPE_CHECKING:
    from orchestrate.analysis.compare import Change, RunComparison

SHOWN = {"memory": (1e-6, "MB"), "peak": (1e-6, "MB"), "throughput": (1, "images/s")}
TIME = (1e3, "ms")  # every other figure


@dataclass(frozen=True)
class CompareOptions:
    """What the command line asks for."""

    run_a: Annotated[
        str,
        typer.Argument(
            metavar="BEFORE",
            help="the run before: id, its beginning, latest, or path",
            autocompletion=complete.runs,
        ),
    ]
    run_b: Annotated[str, typer.Argument(metavar="AFTER", help="the run after", autocompletion=complete.runs)]
    threshold: Annotated[
        str, typer.Option(metavar="PERCENT", help="the smallest change that is reported")
    ] = "1%"
    device_map: Annotated[
        list[str],
        typer.Option(metavar="BEFORE=AFTER", help="compare two devices with each other; may be repeated"),
    ] = field(default_factory=list)
    name: Annotated[
        list[str],
        typer.Option(metavar="BEFORE=AFTER", help="compare two files of other names; may be repeated"),
    ] = field(default_factory=list)
    results: Results = Path("results")
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False


@options_of(CompareOptions)
def compare(options: CompareOptions) -> None:
    """Report which figures changed beyond noise, and what changed around them.

    Exit code 1 where a figure became worse, or a job is lost; 2 where nothing could be decided.
    """
    from orchestrate import quantities
    from orchestrate.analysis import compare as comparing
    from orchestrate.analysis import records
    from orchestrate.runs.folder import find_run

    least = quantities.parse(options.threshold, quantities.SHARE, "--threshold")
    before, after = (records.read([find_run(run, options.results)]) for run in (options.run_a, options.run_b))
    devices = pairs("--device-map", options.device_map, "tx2=xavier")
    names = pairs("--name", options.name, "detector=detector-pruned")
    made = comparing.compare(before, after, least, devices, names)
    if options.as_json:
        typer.echo(json.dumps(as_data(made), indent=1, allow_nan=False))
    else:
        show(made)
    raise typer.Exit(1 if made.regressions or made.lost else 0 if made.decided else 2)


def pairs(option: str, given: list[str], example: str) -> dict[str, str]:
    """Return name before -> name after; BadInput where either is given twice."""
    from orchestrate.errors import BadInput

    found: dict[str, str] = {}
    for text in dict.fromkeys(given):
        before, after = pair(option, text, example)
        if before in found or after in found.values():
            raise BadInput(f"{option} {text}: {before if before in found else after} is given twice")
        found[before] = after
    return found


def pair(option: str, text: str, example: str) -> tuple[str, str]:
    """Return `tx2=xavier` as its two names."""
    from orchestrate.errors import BadInput

    before, _, after = text.partition("=")
    if not before or not after:
        raise BadInput(f"{option} {text}: give BEFORE=AFTER, such as {option} {example}")
    return before, after


def line(change: "Change") -> str:
    """Return one change in words."""
    from orchestrate.report import text

    scale, unit = SHOWN.get(change.figure, TIME)
    values = f"{text.number(change.before * scale)} to {text.number(change.after * scale)} {unit}"
    what = f"{change.verdict}: {change.device}, {change.job}: {change.figure}"
    p = "" if math.isnan(change.adjusted) else f", p {change.adjusted:.2g}"
    return f"{what} {values}, {text.ratio(change.ratio)}{p}"


def show(made: "RunComparison") -> None:
    """Regressions first, then improvements, then what could not be compared, then the environment.

    Of what is not known, that which would be a change.
    """
    from orchestrate.analysis.compare import ALL, IMPROVEMENT, REGRESSION, SAME, UNKNOWN
    from orchestrate.console import say

    for verdict in (REGRESSION, IMPROVEMENT, UNKNOWN):
        for change in made.of(verdict):
            if verdict != UNKNOWN or abs(change.ratio.value - 1) >= made.threshold:
                say(line(change))
    for text in (*(f"lost: {each}" for each in made.lost), *made.alone, *made.paired, *made.unlike):
        say(text)
    for device, fact, before, after in made.environment:
        say(f"changed around it: {device}, {fact}: {before[:120]} -> {after[:120]}")
    for change in made.of(SAME):
        if change.job == ALL:
            say(line(change))
    say(last_line(made))


def last_line(made: "RunComparison") -> str:
    """Return how many figures were compared, and by which rule."""
    from orchestrate.analysis.compare import RATE, SAME, UNKNOWN
    from orchestrate.quantities import counted

    compared, unknown = counted(len(made.changes), "figure"), len(made.of(UNKNOWN))
    if not made.decided:
        return (
            f"{compared}, nothing known of any: one process or build a side shows no spread; measure with "
            "`--processes 3` or more (on TensorRT also `builds: 3`)"
        )
    lacking = f"{unknown} not known (one process or build a side), " if unknown else ""
    return (
        f"{compared} compared, {lacking}{len(made.of(SAME))} without a change shown; "
        f"changes are reported from {made.threshold:.1%} "
        f"at a false-discovery rate of {RATE:.0%} (Benjamini-Hochberg)"
    )


def as_data(made: "RunComparison") -> dict[str, object]:
    """Return the comparison as JSON; base units, null where unknown."""
    from orchestrate.analysis.compare import UNKNOWN

    changes = [{**known(asdict(change)), "ratio": known(change.ratio._asdict())} for change in made.changes]
    around = [
        dict(zip(("device", "fact", "before", "after"), each, strict=True)) for each in made.environment
    ]
    return {
        "method": "Student's t on logarithms of process values; Benjamini-Hochberg at 5%",
        "threshold": made.threshold,
        "regressions": len(made.regressions),
        "not_known": len(made.of(UNKNOWN)),
        "changes": changes,
        "figures": list(made.figures),
        "lost": made.lost,
        "alone": made.alone,
        "unlike": made.unlike,
        "paired": made.paired,
        "environment": around,
    }


def known(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values, None for NaN."""
    unknown = {key for key, value in values.items() if isinstance(value, float) and math.isnan(value)}
    return {key: None if key in unknown else value for key, value in values.items()}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)
