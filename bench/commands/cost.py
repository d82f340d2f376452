"""`bench cost`: what `orchestrate tune` is made of, and what a device's profile predicts."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.scale import Architecture, AsJson, Dataset
from bench.record.quantities import counted

if TYPE_CHECKING:
    from bench.cost import CostModel, Prediction
    from bench.cost.model import LayerCost
    from bench.cost.profile import Profile

ABOUT = """What networks cost on a device that `orchestrate tune --device NAME` has measured.
"""

AGAIN = 3  # processes of a network that surprised: enough to outvote a disturbed one
app = typer.Typer(no_args_is_help=True, help=ABOUT)
Measurements = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSON of what is measured so far, as `fit` takes it")
]
Again = Annotated[
    int,
    typer.Option(metavar="N", min=0, max=200, help="instead: the N of --after that the fit explains least"),
]
TurnSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0.05, max=600, help="of each one's turns [default: 1.2, of a part 0.6]"
    ),
]


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="cost")


@app.command()
def predict(
    arch: Architecture,
    dataset: Dataset,
    widths: Annotated[
        str, typer.Option(metavar="N,N,...", help="one width per layer, as `bench scale` prints them")
    ],
    profile: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="in manifests/profiles, or a file of orchestrate tune")
    ] = "local",
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="also beyond the widths and sizes that were tuned")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="each layer's share, and what its odd width costs")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Latency and memory of a network that need not exist, with 95 % prediction intervals.

    bench cost predict vgg11 -d cifar10 --explain --widths 32,64,99,99,256,256,256,256
    """
    from bench import zoo
    from bench.cost import CostModel, find_profile

    network, task = zoo.architecture(arch), zoo.dataset(dataset)
    numbers = _widths(widths)
    network.check(numbers)
    found = find_profile(profile)
    model = CostModel(found)
    prediction = model.predict(network, numbers, task, extrapolate)
    layers = model.explain(network, numbers, task) if explain else []
    if as_json:
        data = {"architecture": arch, "dataset": dataset, "widths": numbers, "profile": found.name}
        typer.echo(json.dumps({**data, **_data(prediction, model), "layers": [x._asdict() for x in layers]}))
    else:
        typer.echo("\n".join([*_lines(prediction, model), *_shares(layers)]))


def _widths(text: str) -> list[int]:
    from bench.errors import InputError

    words = [word.strip() for word in text.replace(" ", ",").split(",") if word.strip()]
    for word in words:
        if not (word.isascii() and word.isdecimal()) or not 1 <= len(word) <= 6:
            raise InputError(f"--widths {word}: give whole numbers, such as --widths 32,64,128")
    return [int(word) for word in words]


def _data(prediction: "Prediction", model: "CostModel") -> dict[str, object]:
    figures = {name: getattr(prediction, name).data() for name in ("latency", "process", "model", "peak")}
    return {
        **figures,
        "outside": list(prediction.outside),
        "emulated": model.profile.emulated,
        "environment": model.profile.environment.model_dump(),
    }


def _lines(prediction: "Prediction", model: "CostModel") -> list[str]:
    from bench.cost import UNKNOWN
    from bench.record.facts import NO_SETUP

    found, latency = model.profile.environment, prediction.latency
    threads = counted(found.threads, "thread")
    where = f"{found.device}: {found.backend} {found.version}, {found.precision}, {threads}"
    lines = [
        f"predicted on {where}",
        f"latency  {latency.value * 1e3:.3f} ms  ({latency.low * 1e3:.3f} to {latency.high * 1e3:.3f}, 95 %)",
    ]
    for name in ("process", "model", "peak"):
        value, low, high = (each / 1e6 for each in getattr(prediction, name))
        sure = (
            "no interval: it is not known well enough"
            if math.isnan(low)
            else f"{low:.1f} to {high:.1f}, 95 %"
        )
        lines.append(f"{name:<8} {UNKNOWN if math.isnan(value) else f'{value:.1f} MB  ({sure})'}")
    lines += [f"extrapolated: {reason}" for reason in prediction.outside]
    if found.setup is None:
        lines.append(f"profile {model.profile.name} {NO_SETUP}")
    if model.profile.emulated:
        lines.append(f"the CPU was emulated ({model.profile.emulated}): this is no figure of a board")
    return lines


def _shares(layers: "list[LayerCost]") -> list[str]:
    if not layers:
        return []
    lines = [f"{'layer':<18} {'width':>6} {'share':>7}   of an odd width"]
    for layer in layers:
        odd = f"{layer.odd_seconds * 1e3:+.3f} ms against {layer.aligned}" if layer.odd_seconds else ""
        lines.append(f"{layer.layer:<18} {layer.width:>6} {layer.share:>7.1%}   {odd}".rstrip())
    return lines


@app.command()
def design(
    out: Annotated[Path, typer.Option(metavar="DIR", help="the bundle's folder: new, empty, or a bundle")],
    parts: Annotated[int, typer.Option(metavar="N", min=0, max=500, help="parts of networks")] = 64,
    networks: Annotated[int, typer.Option(metavar="N", min=0, max=200, help="whole networks")] = 126,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="decides what is chosen")] = 1,
    after: Measurements = None,
    again: Again = 0,
    seconds: TurnSeconds = None,
    as_json: AsJson = False,
) -> None:
    """Choose what to measure and write it as a bundle; `--after` puts parts where the fit is poor.

    bench cost design --out bundle

    bench cost design --out bundle --after measurements.json --again 9
    """
    from bench.cost import choice
    from bench.errors import InputError
    from bench.export import tuning

    known = _read(after) if after else None
    if again:
        if known is None:
            raise InputError("--again: give --after FILE, of whose networks it takes the surprising ones")
        items = choice.surprising(known, again)
        if not items:
            raise InputError(f"--again: {after} has no whole network that the others could explain")
        contents = tuning.write(out, items, "tune-again", seconds, processes=AGAIN, profiled=True)
    elif not (parts or networks):
        raise InputError("nothing to measure: give --parts or --networks at least 1, or --again")
    else:
        items = choice.choose(parts, networks, seed, known)
        contents = tuning.write(out, items, "tune" if known is None else "tune-more", seconds, profiled=True)
    text = f"bundle of {counted(len(items), 'measurement')}: {out}"
    typer.echo(json.dumps({"bundle": str(out), **contents}) if as_json else text)


@app.command()
def fit(
    measurements: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON of measurements, as orchestrate tune writes it")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="the profile, YAML")],
    as_json: AsJson = False,
) -> None:
    """Make a profile of measurements, and print how well it predicts networks that were left out.

    bench cost fit measurements.json --out manifests/profiles/local.yaml
    """
    from bench.cost.calibration import judge, observe, profiled, quality
    from bench.cost.profile import save_profile
    from bench.work import writable_paths

    path = writable_paths.manifest("--out", out)
    read = observe(_read(measurements))
    fitted = judge(read)
    profile = read.model_copy(update={"name": path.stem, "fitted": fitted})
    save_profile(profile, path)
    seen = profiled(profile, fitted.block)
    found = quality(fitted, seen)
    if as_json:
        made = {"profile": str(path), **fitted.model_dump(), "profiled": seen, "quality": found}
        typer.echo(json.dumps(made))
        return
    typer.echo("\n".join([f"{path}: {counted(len(profile.measurements), 'measurement')}", *found]))


def _read(path: Path) -> "Profile":
    from bench.cost.profile import Profile
    from bench.manifests import reader

    return reader.load(path, Profile)  # JSON is YAML
