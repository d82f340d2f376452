"""`bench scale` and `bench fit`: widths for a target, and the fit that they come from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_app import options_of
from bench.record.quantities import counted

if TYPE_CHECKING:
    from bench.scaling import Scaled
    from bench.scaling.device_prices import DevicePrices
    from bench.scaling.regression import Regression

Architecture = Annotated[
    str, typer.Argument(metavar="ARCH", help="vgg11, mobilenetv2, preact_resnet18, resnet50")
]
Dataset = Annotated[
    str,
    typer.Option(
        "--dataset", "-d", metavar="DATASET", help="cifar10, cifar100, tinyimagenet, imagenet, digits"
    ),
]
Count = Annotated[
    str,
    typer.Option(
        metavar="true|published", help="how parameters are counted; published is NeuralScale's formula"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(scale)
    app.command()(fit)


def _budget(metavar: str, text: str) -> object:
    return typer.Option(metavar=metavar, help=text)


@dataclass(frozen=True)
class ScaleOptions:
    """What the command line asks for."""

    arch: Architecture
    dataset: Dataset
    ratio: Annotated[
        float | None,
        typer.Option("--ratio", "-r", metavar="RATIO", help="target size / size of the default network"),
    ] = None
    ratio_of: Annotated[
        str | None,
        typer.Option(
            metavar="params|width|macs|latency|memory",
            help="what RATIO is of; 0.25 of the widths is about a sixteenth of the parameters; latency and "
            "memory are what the profile of --device predicts",
        ),
    ] = None
    max_params: Annotated[str | None, _budget("COUNT", "parameters at most, such as 1M")] = None
    max_macs: Annotated[str | None, _budget("COUNT", "multiply-accumulates at most, such as 30M")] = None
    max_latency: Annotated[str | None, _budget("TIME", "of one inference on --device, such as 5ms")] = None
    max_memory: Annotated[
        str | None, _budget("SIZE", "of the process on --device (memory.process), such as 40MB")
    ] = None
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="a device's profile: what `orchestrate tune` has measured"),
    ] = None
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="export and measure, and correct until the measured interval lies within the budget; "
            "without: the prediction and its interval",
        ),
    ] = True
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="of solving and measuring, at most")
    ] = 3
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="also beyond the widths that the profile was tuned for")
    ] = False
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="METHOD",
            help="uniform (one factor), neuralscale (by a fit), device (near a fit, where a device charges "
            "least); aligned: neuralscale with --align 8",
        ),
    ] = "uniform"
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="of neuralscale: in manifests/scaling, or a file [default: the preferred one]",
        ),
    ] = None
    align: Annotated[
        int | None,
        typer.Option(
            metavar="CHANNELS",
            help="all widths are multiples of it, under the same budget, whatever the method: 8 suits most "
            "hardware [default: no alignment]",
        ),
    ] = None
    count: Count = "true"
    as_json: AsJson = False


@options_of(ScaleOptions)
def scale(options: ScaleOptions) -> None:
    """Widths that one method gives an architecture for one size, or for budgets, and what they cost.

    bench scale vgg11 -d cifar10 -m neuralscale -r 0.25 --ratio-of params

    bench scale mobilenetv2 -d cifar100 --max-macs 30M --max-params 1M --align 8

    bench scale vgg11 -d cifar10 -m device --max-latency 5ms --device local
    """
    from bench.scaling.ask import limits_of

    wanted = limits_of(
        params=options.max_params,
        macs=options.max_macs,
        latency=options.max_latency,
        memory=options.max_memory,
    )
    _one_target(options, wanted)
    if wanted:
        from bench.budget.command import Asked  # numpy and scipy, which a ratio needs none of
        from bench.budget.text import answer

        asked = Asked(
            options.arch,
            options.dataset,
            options.method,
            wanted,
            options.fit,
            options.align,
            options.count,
            options.device,
            options.measure,
            options.rounds,
            options.extrapolate,
        )
        typer.echo(answer(asked, options.as_json))
        return
    assert options.ratio is not None
    assert options.ratio_of is not None
    typer.echo(_by_ratio(options, options.ratio, options.ratio_of))


def _one_target(options: ScaleOptions, wanted: dict[str, float]) -> None:
    from bench.errors import InputError

    if wanted and (options.ratio is not None or options.ratio_of is not None):
        raise InputError("give either --ratio with --ratio-of, or budgets (--max-...), not both")
    if options.ratio is not None and options.ratio_of is None:
        raise InputError(
            f"--ratio {options.ratio:g} of what? give --ratio-of as well, such as --ratio-of params"
        )
    if not wanted and options.ratio is None and options.ratio_of is not None:
        raise InputError(f"--ratio-of {options.ratio_of} needs a ratio, such as --ratio 0.25")
    if not wanted and options.ratio is None:
        raise InputError(
            "no target: give --ratio with --ratio-of, or a budget: --max-params, --max-macs, --max-latency, "
            "--max-memory"
        )


def _by_ratio(options: ScaleOptions, ratio: float, ratio_of: str) -> str:
    """Widths for a part of the default network, and what a profile predicts of them, as text or JSON."""
    from bench.manifests.methods import canonical
    from bench.scaling.text import ByRatio, as_data, as_text

    scaled, prices = _scaled(options, ratio, ratio_of)
    asked: ByRatio = {
        "architecture": options.arch,
        "dataset": options.dataset,
        "method": canonical(options.method, options.align)[0],
        "ratio": ratio,
        "ratio_of": ratio_of,
        "count": options.count,
    }
    if prices is None:
        return json.dumps(as_data(asked, scaled)) if options.as_json else as_text(asked, scaled)
    from bench.budget import text

    prediction, profile = prices.predict(scaled.widths), prices.model.profile
    if options.as_json:
        return json.dumps({**as_data(asked, scaled), **text.prediction_data(prediction, profile)})
    return "\n".join([as_text(asked, scaled), *text.prediction_lines(prediction, profile)])


def _scaled(options: ScaleOptions, ratio: float, ratio_of: str) -> "tuple[Scaled, DevicePrices | None]":
    """Widths by the method that was asked for, and the price list of the device, where one is named."""
    from bench import zoo
    from bench.errors import InputError
    from bench.scaling import scale as along_curve
    from bench.scaling.fits import load_named

    architecture, task = zoo.architecture(options.arch), zoo.dataset(options.dataset)
    fit = load_named(options.fit) if options.fit else None
    prices = None
    if options.device is not None:
        from bench.scaling.device_prices import price_list

        prices = price_list(options.device, architecture, task, options.extrapolate)
    asked = (architecture, task, options.method, ratio, ratio_of, fit, options.align)
    if options.method != "device" and ratio_of not in ("latency", "memory"):
        return along_curve(*asked, options.count), prices
    from bench.scaling.within import by_ratio

    if options.count != "true":
        raise InputError(f"{options.method} by {ratio_of} is of true counts; leave --count away")
    return by_ratio(*asked, prices), prices


def fit(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="CSV: one row a pruning step, one column a layer")
    ],
    arch: Architecture,
    dataset: Dataset,
    count: Count = "true",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="write the fit to this YAML file, for `bench scale --fit`"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Alpha and beta from a pruning record: width = alpha * params ** beta, layer by layer."""
    from bench import zoo
    from bench.scaling import fits, regression
    from bench.scaling.counts import counter
    from bench.work import writable_paths

    architecture, task = zoo.architecture(arch), zoo.dataset(dataset)
    size = counter(architecture, task, count)
    found = regression.regress(regression.read_record(record, len(architecture.layers)), size)
    if out is not None:
        writable_paths.manifest("--out", out)
        command = f"bench fit {record} {arch} --dataset {dataset} --count {count}"
        fits.save(fits.from_record(out.stem, arch, task, count, found, str(record), command), out)
    if as_json:
        typer.echo(json.dumps(_as_data(found)))
        return
    typer.echo(f"{arch} on {dataset}: {counted(found.rows, 'row')}, residual of ln(width) {found.rmse:.4f}")
    if out is not None:
        typer.echo(f"{out}: quality is stand-in, since the record does not tell how it was searched: edit it")
    if found.uniform:
        typer.echo("too few steps for a fit: beta is 0, which scales the first row uniformly")
    for layer, alpha, beta in zip(architecture.layers, found.alpha, found.beta, strict=True):
        typer.echo(f"{layer:<16} alpha {alpha:<12.6g} beta {beta:.6f}")


def _as_data(found: "Regression") -> dict[str, object]:
    return {
        "alpha": found.alpha,
        "beta": found.beta,
        "rows": found.rows,
        "rmse": found.rmse,
        "uniform": found.uniform,
    }
