"""The options of `orchestrate run`, and which of them contradict each other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrate.errors import BadInput

if TYPE_CHECKING:
    from orchestrate.execution.own_words import Sweep


@dataclass(frozen=True)
class StatedOptions:
    """Options that a run uses as the command line states them."""

    devices: list[str] = field(default_factory=list)
    everything: bool = False
    experiment: str | None = None
    onnx: list[Path] = field(default_factory=list)
    dims: list[str] = field(default_factory=list)
    inputs: Path | None = None
    values: list[str] = field(default_factory=list)
    test_set: Path | None = None
    metric: Literal["top1", "top5"] = "top1"
    pixels: Literal["unit", "signed", "imagenet", "raw"] | None = None
    accuracies: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    resume: str | None = None
    resume_last: bool = False
    retry: Literal["failed", "invalid", "all"] | None = None
    detach: bool = False
    break_lock: bool = False
    require_valid: bool = False
    trust_run: bool = False
    patience: float = 600.0
    report: bool = True
    results: Path = Path("results")
    manifest: Path | None = None


def _as_planned() -> "Sweep":
    from orchestrate.execution.own_words import Sweep

    return Sweep()


@dataclass(frozen=True)
class RunOptions(StatedOptions):
    """What the command line asked for."""

    sweep: "Sweep" = field(default_factory=_as_planned)
    batches: tuple[int, ...] = ()


def check(options: RunOptions) -> None:
    """Refuse options that contradict each other, before anything is done."""
    planning = (
        options.devices
        or options.everything
        or options.experiment
        or options.onnx
        or options.dims
        or options.inputs
        or options.values
        or options.test_set
        or options.accuracies
        or options.names
        or options.batches
        or options.sweep != _as_planned()
        or options.resume_last
    )
    if options.everything and options.devices:
        raise BadInput("--all names every device but `local`: leave out --device, or leave out --all")
    for option, given in (("--resume", options.resume), ("--experiment", options.experiment)):
        if given == "":
            raise BadInput(f"{option} is empty: give a name, or leave it out")
    if options.resume and planning:
        raise BadInput("--resume goes on with what the run has planned: leave out what plans a new one")
    if options.retry and not options.resume:
        raise BadInput("--retry needs a run: --resume RUN --retry failed|invalid|all")
    if options.trust_run and not options.resume:
        raise BadInput("--trust-run needs a run that was planned before: --resume RUN --trust-run")
    own = {
        "--dim": options.dims,
        "--input": options.inputs,
        "--value": options.values,
        "--test-set": options.test_set,
        "--accuracy": options.accuracies,
        "--name": options.names,
    }
    if unused := [name for name, given in own.items() if given and not options.onnx]:
        raise BadInput(f"{unused[0]} is for models of your own: give --onnx FILE as well")
    if (options.pixels or options.metric != "top1") and not options.test_set:
        raise BadInput("--metric and --pixels say how to judge a test set: give --test-set as well")
