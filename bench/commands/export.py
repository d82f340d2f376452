"""`bench export`: an experiment, or ONNX files of one's own, to a bundle that devices measure."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from bench.cli_app import experiments, options_of
from bench.record.printable import one_line
from bench.record.quantities import counted
from bench.record.types import macs_of_inference
from bench.work.signals import BUT_CTRL_C, terminated_is_interrupted

if TYPE_CHECKING:
    from bench.export import Progress
    from bench.export.own.request import OwnRequest
    from bench.manifests.experiment import Experiment
    from bench.record.bundle import Bundle
    from bench.record.stated import StatedAccuracy

Number = TypeVar("Number", int, float)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


@dataclass(frozen=True)
class ExportOptions:
    """What the command line asks for."""

    out: Annotated[
        Path, typer.Option(metavar="DIR", help="the bundle's folder: new, empty, or an older bundle")
    ]
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPERIMENT",
            help="name in manifests/experiments, or a YAML file",
            autocompletion=experiments,
        ),
    ] = None
    onnx: Annotated[list[Path], typer.Option(metavar="FILE", help="a model of your own; may be repeated")] = (
        field(default_factory=list)
    )
    dim: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=SIZE", help="size of a dynamic dimension of --onnx: its symbol, or INPUT.AXIS"
        ),
    ] = field(default_factory=list)
    inputs: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE.npz", help="arrays for the inputs of --onnx, by input name"),
    ] = None
    value: Annotated[
        list[str],
        typer.Option(metavar="INPUT=NUMBER", help="a constant for an input of --onnx; may be repeated"),
    ] = field(default_factory=list)
    test_set: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz|FOLDER",
            help="labelled inputs of --onnx, whose accuracy the device then measures",
        ),
    ] = None
    metric: Annotated[
        Literal["top1", "top5"], typer.Option(help="of --test-set: the label among so many largest outputs")
    ] = "top1"
    pixels: Annotated[
        Literal["unit", "signed", "imagenet", "raw"] | None,
        typer.Option(help="of a folder of images: 0 to 1, -1 to 1, ImageNet's mean and deviation, 0 to 255"),
    ] = None
    onnx_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=1,
            envvar="ORBITBENCH_ONNX_TIMEOUT",
            help="that reading and trying one file of --onnx may take",
        ),
    ] = 300
    batch: Annotated[
        str | None,
        typer.Option(metavar="N[,N]", help="images an inference, such as 1,8; overrides the experiment's"),
    ] = None
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="keeps what was exported once [default: $ORBITBENCH_CACHE, or ~/.cache/orbitbench/export]",
        ),
    ] = None
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="where `bench train` left trained weights; others are random [default: results/training]",
        ),
    ] = None
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|FILE|URL", help="data sets, where the experiment has a test_set [default: data]"
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="print the bundle as JSON")] = False


@options_of(ExportOptions)
def export(options: ExportOptions) -> None:
    """Make the models of an experiment, and your own, ready to be measured.

    bench export demo --out bundle
    """
    from bench.export import OwnFiles
    from bench.export import cache as caches
    from bench.export import export as make
    from bench.work import writable_paths

    request = _request(options)
    sizes = _batches(options.batch)
    experiment, cache = _load(options.experiment) if options.experiment else None, None
    weights = Path("results/training")
    if options.weights:
        weights = writable_paths.existing("--weights", options.weights)
    if experiment:
        cache = writable_paths.folder("--cache", options.cache or caches.default_folder())
    own = OwnFiles(options.onnx, request, options.onnx_timeout)
    with terminated_is_interrupted(BUT_CTRL_C), _progress() as progress:
        contents = make(options.out, experiment, own, sizes, cache, weights, options.data, progress)
    _tell(options, contents)


def _request(options: ExportOptions) -> "OwnRequest":
    """What is stated of models of one's own; InputError where there is nothing to export."""
    from bench.errors import InputError

    if not options.experiment and not options.onnx:
        raise InputError("nothing to export: name an experiment, or give --onnx FILE")
    if options.test_set and not options.onnx:
        raise InputError("--test-set is for models of your own: give --onnx FILE as well")
    return replace(
        own_request(options.dim, options.value, options.inputs),
        test_set=options.test_set,
        metric=options.metric,
        pixels=options.pixels,
    )


def _tell(options: ExportOptions, contents: "Bundle") -> None:
    """Print the bundle, and what was assumed; JobError names the files that were refused."""
    from bench.errors import JobError
    from bench.export.own.request import assumption

    if untested := [model["id"] for model in contents["models"] if model.get("test_set", ...) is None]:
        typer.echo(_untested(untested), err=True)
    assumptions = (assumption(model["id"], model, "--batch SIZE, or --dim") for model in contents["models"])
    for line in filter(None, assumptions):
        typer.echo(line, err=True)
    if options.as_json:
        typer.echo(json.dumps({"bundle": str(options.out), **contents}))
    else:
        _show(options.out, contents)
    if refused := contents["refused"]:
        raise JobError("\n".join(one_line(f"{each['file']}: refused: {each['reason']}") for each in refused))


def _load(name: str) -> "tuple[Experiment, str]":
    from bench.manifests import experiment

    path = experiment.find(name)
    loaded = experiment.load(path)
    return loaded, hashlib.sha256(path.read_bytes()).hexdigest()


def own_request(dim: list[str], value: list[str], inputs: Path | None) -> "OwnRequest":
    """Read the options --dim, --value and --input for a model of one's own; InputError for a wrong one."""
    from bench.export.own.request import OwnRequest

    return OwnRequest(_once("--dim", map(_dim, dim)), _once("--value", map(_value, value)), inputs)


def _once(option: str, pairs: Iterable[tuple[str, Number]]) -> dict[str, Number]:
    from bench.errors import InputError

    found: dict[str, Number] = {}
    for name, number in pairs:
        if found.setdefault(name, number) != number:
            raise InputError(
                f"{option} {name} is given twice, as {found[name]:g} and {number:g}: leave one out"
            )
    return found


def _value(text: str) -> tuple[str, float]:
    from bench.errors import InputError

    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = nan
    if not name or not isfinite(value):
        raise InputError(f"--value {text}: give INPUT=NUMBER, such as --value sr=16000")
    return name, value


def _dim(text: str) -> tuple[str, int]:
    from bench.errors import InputError

    name, _, size = text.rpartition("=")
    if not name or not (size.isascii() and size.isdecimal()) or len(size) > 12 or int(size) < 1:
        raise InputError(f"--dim {text}: give NAME=SIZE with a whole number from 1, such as --dim batch=1")
    return name, int(size)


def _batches(text: str | None) -> list[int]:
    from bench.errors import InputError

    words = [word.strip() for word in text.split(",")] if text is not None else []
    for word in words:
        if not (word.isascii() and word.isdecimal()) or len(word) > 4 or not 1 <= int(word) <= 1024:
            raise InputError(f"--batch {text}: give whole numbers from 1 to 1024, such as --batch 1,8")
    return list(dict.fromkeys(map(int, words)))


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar on stderr, where it is a terminal; else a line a model."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bench.work.plain_console import PlainConsole

    console = PlainConsole(stderr=True)
    described = TextColumn("{task.description}", markup=False)
    columns = (TextColumn("export"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), described)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(name: str, done: int, total: int) -> None:
            name = one_line(name)
            bar.update(task, description=name, completed=done, total=total)
            if name and not console.is_terminal:
                typer.echo(f"export {done + 1}/{total} {name}", err=True)

        yield report


def _show(out: Path, contents: "Bundle") -> None:
    from rich.table import Table

    from bench.work.plain_console import PlainConsole

    console = PlainConsole()
    console.width = max(console.width, 100) if not console.is_terminal else console.width
    table = Table(box=None, header_style="bold")
    table.add_column("model", overflow="fold")
    for column in ("parameters", "MMACs", "MB", "accuracy"):
        table.add_column(column, justify="right")
    for model in contents["models"]:
        table.add_row(
            model["id"],
            "unknown" if model["params"] is None else f"{model['params']:,}",
            "unknown" if model["macs"] is None else _millions(macs_of_inference(model) or 0, 1),
            _millions(model["bytes"], 2),
            _accuracy(model["accuracy"]),
        )
    console.print(table)
    skipped = Counter((missing["reason"], missing["command"]) for missing in contents["skipped"])
    for (reason, command), models in skipped.items():
        advice = f"; make one with: {command}" if command else ""
        console.print(f"skipped {counted(models, 'model')}: {reason}{advice}", soft_wrap=True)
    console.print(f"bundle of {counted(len(contents['models']), 'model')}: {out}", soft_wrap=True)


def _millions(count: int, digits: int) -> str:
    """Return a count in millions; one too small for the digits as it is, to two figures."""
    rounded = f"{count / 1e6:,.{digits}f}"
    return rounded if float(rounded.replace(",", "")) or not count else f"{count / 1e6:.2g}"


def _untested(models: list[str]) -> str:
    return (
        f"no test set for {counted(len(models), 'model')}, such as {models[0]}: their weights are random; "
        f"train them first, such as: bench train {models[0]}"
    )


def _accuracy(accuracy: "StatedAccuracy | None") -> str:
    return f"{accuracy['value']:.2f}% {accuracy['source']}" if accuracy else "missing"
