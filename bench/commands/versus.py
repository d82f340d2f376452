"""`bench versus`: which of two models is faster on this machine, and by how much."""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bench.cli_app import options_of
from bench.commands.export import own_request
from bench.record.quantities import counted
from bench.work.signals import BUT_CTRL_C, terminated_is_interrupted

if TYPE_CHECKING:
    from bench.export.own.request import OwnRequest, Prepared

MAX_ROUNDS = 1000
CONFIDENCE = 0.95
THRESHOLD = 0.01  # relative; a smaller change is not reported, however sure: nobody would act on it
Round = Sequence[tuple[float, float]]  # seconds of neighbouring turns of a and of b


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(versus)


@dataclass(frozen=True)
class VersusOptions:
    """What the command line asks for."""

    a: Annotated[Path, typer.Argument(metavar="A", help="an ONNX file")]
    b: Annotated[Path, typer.Argument(metavar="B", help="another: how does it compare with A?")]
    rounds: Annotated[
        int,
        typer.Option(
            metavar="N", min=2, max=MAX_ROUNDS, help="pairs of fresh processes: what the interval is made of"
        ),
    ] = 5
    seconds: Annotated[float, typer.Option(metavar="SECONDS", min=0.05, help="of measuring, each round")] = (
        1.0
    )
    turn: Annotated[
        float, typer.Option(metavar="MS", min=0.1, help="that a model runs before the other's turn")
    ] = 5.0
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, max=256, help="of each model; 0 leaves it to the library")
    ] = 1
    backend: Annotated[str, typer.Option(metavar="NAME", help="onnxruntime, torch, tensorrt")] = "onnxruntime"
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16, int8, where the backend performs it; else the file's"),
    ] = None
    option: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="of the backend; may be repeated")
    ] = field(default_factory=list)
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="that a model may take to load or for a turn")
    ] = 120
    seed: Annotated[int, typer.Option(metavar="N", help="of the order of turns, and of the inputs")] = 1
    fail_above: Annotated[
        float | None,
        typer.Option(metavar="RATIO", min=0, help="exit code 1 when B surely takes more times as long as A"),
    ] = None
    dim: Annotated[
        list[str],
        typer.Option(metavar="NAME=SIZE", help="size of a dynamic dimension: its symbol, or INPUT.AXIS"),
    ] = field(default_factory=list)
    inputs: Annotated[
        Path | None, typer.Option("--input", metavar="FILE.npz", help="arrays for the inputs, by input name")
    ] = None
    value: Annotated[list[str], typer.Option(metavar="INPUT=NUMBER", help="a constant for an input")] = field(
        default_factory=list
    )
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, every pair of turns included")] = False


@options_of(VersusOptions)
def versus(options: VersusOptions) -> None:
    """How many times as long model B takes as model A on this machine, in turns of some milliseconds.

    Finds a few per cent where two runs one after the other do not: on shared or busy machines.

    bench versus before.onnx after.onnx
    """
    from bench.errors import JobError
    from bench.runtime.machine import emulation

    tasks, rounds = _play(options)
    found, emulator = ratio_of_turns(rounds), emulation.emulated()
    p50 = [median([pair[side] for pairs in rounds for pair in pairs]) for side in (0, 1)]
    if options.as_json:
        of_each = {key: [task["job"][key] for task in tasks] for key in ("precision", "batch")}
        setup = {**_setup(options), **of_each, "turn_ms": options.turn, "seed": options.seed}
        figures = {**found._asdict(), "p50_seconds": p50, "emulated": emulator, "rounds": rounds}
        typer.echo(json.dumps({"a": str(options.a), "b": str(options.b), **setup, **figures}))
    else:
        batches = [task["job"]["batch"] for task in tasks]
        typer.echo(_text(found, (options.a, options.b), batches, p50, rounds, emulator))
    limit = options.fail_above
    if limit is not None and found.low is not None and found.low > limit:
        raise JobError(f"{options.b} takes more than {limit:g} times as long as {options.a}")


def _play(options: VersusOptions) -> tuple[list[dict[str, Any]], list[Round]]:
    """Run both models in turns; the measuring processes' tasks, and the seconds of each pair by round."""
    from bench.errors import JobError
    from bench.export.own.request import assumption, check_names
    from bench.runtime.backends.base import BackendError
    from bench.runtime.duel.duel import rounds as play

    request = own_request(options.dim, options.value, options.inputs)
    setup, paths = _setup(options), (options.a, options.b)
    _refuse(setup, paths)
    with terminated_is_interrupted(BUT_CTRL_C), TemporaryDirectory(prefix="orbitbench-versus-") as folder:
        once = dict.fromkeys(paths)  # a file against itself is prepared once
        prepared = {path: _prepare(path, request, Path(folder, str(n))) for n, path in enumerate(once)}
        models = [prepared[path] for path in paths]
        check_names(request, models)
        assumptions = [assumption(str(path), model.entry) for path, model in zip(paths, models, strict=True)]
        for line in dict.fromkeys(filter(None, assumptions)):
            typer.echo(line, err=True)
        tasks = [_task(*pair, options.timeout, setup) for pair in zip(paths, models, strict=True)]
        _announce_casts(tasks)
        count, watch = options.rounds, _progress(options.rounds)
        try:
            played = play(tasks, count, options.seconds, options.turn * 1e-3, options.seed, watch=watch)
            return tasks, list(played)
        except BackendError as error:
            raise JobError(f"{error.message} ({error.advice})") from None


def _announce_casts(tasks: Sequence[dict[str, Any]]) -> None:
    """Say which files are computed in another precision than theirs."""
    import platform

    from bench.record import backends

    machine = platform.machine()
    problems = {task["shown"]: backends.cast_problem(task["job"], machine) for task in tasks}
    for path, problem in problems.items():
        if problem:
            typer.echo(f"{path}: {problem}", err=True)


def _setup(options: VersusOptions) -> dict[str, Any]:
    """What both jobs have in common."""
    return {
        "backend": options.backend,
        "precision": options.precision,
        "threads": options.threads,
        "options": _options(options.option),
    }


def _refuse(setup: dict[str, Any], paths: Sequence[Path]) -> None:
    """Raise InputError for what is wrong whatever the files hold: to read them takes a while."""
    from bench.errors import InputError
    from bench.record import backends

    for path in paths:
        if not path.is_file():
            reason = "this is a folder" if path.is_dir() else "no such file"
            raise InputError(f"{path}: {reason}; give an ONNX file, as `bench export` writes them")
    precisions = [setup["precision"]] if setup["precision"] else []
    try:
        problems = backends.option_problems(setup["backend"], setup["options"], precisions)
    except ValueError as error:
        raise InputError(str(error)) from None
    for _, problem in problems:
        raise InputError(problem)


def _prepare(path: Path, request: "OwnRequest", folder: Path) -> "Prepared":
    """The model with fixed sizes, as in `orchestrate run`."""
    from bench.export.own import process

    folder.mkdir()
    return process.read(path, request, folder)


def _task(path: Path, found: "Prepared", timeout: float, setup: dict[str, Any]) -> dict[str, Any]:
    """Return a measuring process's task for one side.

    setup: the job without its model. InputError for what the backend does not perform.
    """
    from bench.errors import InputError
    from bench.runtime.backends import backend_problems

    file = found.entry["precision"]
    model = {"reference": {"tolerance": found.entry["tolerance"]}, "precision": file}
    job: Any = {
        **setup,
        "model": model,
        "precision": setup["precision"] or file,
        "batch": found.entry["batch"],
    }
    for problem in backend_problems(job):
        raise InputError(f"{path}: {problem}")
    return {
        "job": job,
        "process": 0,
        "model": str(found.model),
        "shown": str(path),  # in messages: what is measured is a copy
        "reference": str(found.reference),
        "measure": {"timeout_seconds": timeout},
    }


class Turns(NamedTuple):
    """b over a: 1.03 means that b takes 3 % longer. The ends are None from a single round."""

    ratio: float
    low: float | None
    high: float | None
    differs: bool | None  # the interval excludes 1, and the ratio is off by THRESHOLD or more


def ratio_of_turns(rounds: Sequence[Round]) -> Turns:
    """Return how many times as long b takes as a, from neighbouring turns; one series of (a, b) per round.

    A round's logarithm is the median over its pairs, which a turn that met a change of the machine's speed
    does not move; Student's t over the rounds, whose processes are fresh.
    """
    from scipy import special

    shifts = [median(math.log(b / a) for a, b in pairs) for pairs in rounds]
    shift, degrees = fmean(shifts), len(shifts) - 1
    if degrees < 1:
        return Turns(math.exp(shift), None, None, None)
    error = stdev(shifts) / math.sqrt(len(shifts))
    half = float(special.stdtrit(degrees, (1 + CONFIDENCE) / 2)) * error
    differs = abs(shift) > half and abs(math.expm1(shift)) >= THRESHOLD
    return Turns(math.exp(shift), math.exp(shift - half), math.exp(shift + half), differs)


def _options(given: list[str]) -> dict[str, object]:
    """NAME=VALUE each, the value as YAML reads it."""
    from bench.errors import InputError
    from bench.manifests import reader

    found: dict[str, object] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name in found:
            raise InputError(f"--option {each}: give NAME=VALUE, each name once")
        data: object = None
        with suppress(reader.ManifestError):
            data = reader.read_text(f"value: {value}", f"--option {name}").data
        if not isinstance(data, dict):
            raise InputError(f"--option {each}: {value!r} cannot be read as a value")
        found[name] = data["value"]
    return found


def _progress(rounds: int) -> Callable[[int], None]:
    import sys

    def show(number: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\rround {number + 1}/{rounds}", err=True, nl=False)
            if number + 1 == rounds:
                typer.echo("", err=True)

    return show


def _text(
    found: Turns,
    paths: tuple[Path, Path],
    batches: list[int],
    p50: list[float],
    rounds: list[Round],
    emulator: str | None,
) -> str:
    from bench.scaling.budgets import shown

    verdict = {True: "differs", False: "no difference shown", None: "too few rounds"}[found.differs]
    turns = sum(map(len, rounds))
    of = [f", batch {batch}" if {*batches} != {1} else "" for batch in batches]
    lines = [
        f"{name}  {path}  p50 {shown('latency', took)}{batch}"
        for name, path, took, batch in zip("AB", paths, p50, of, strict=True)
    ]
    lines.append(
        f"B takes {found.ratio:.4f}x as long as A ({found.low:.4f} to {found.high:.4f}, 95 %): {verdict}"
    )
    if batches[0] != batches[1]:
        lines.append("the batches differ: the ratio is of whole inferences, not of images")
    lines.append(
        f"{len(rounds)} rounds of fresh processes, {counted(turns, 'pair')} of turns; "
        "a change below 1 % is not reported"
    )
    if emulator:
        lines.append(f"the CPU is emulated ({emulator}): these are no durations of a board")
    return "\n".join(lines)
