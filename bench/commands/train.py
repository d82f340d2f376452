"""`bench train`: one model's accuracy of our own; and what `bench sweep` shares with it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_app import options_of

if TYPE_CHECKING:
    from bench.export.plan import Planned
    from bench.manifests.experiment import Training
    from bench.train.run import Report
    from bench.train.task import TrainingTask
    from bench.train.trainer import Trainer
    from bench.work.resumable import Place

Out = Annotated[Path, typer.Option(metavar="DIR", help="where trainings lie, each in MODEL/seed-N")]
Data = Annotated[
    str | None,
    typer.Option(metavar="DIR|FILE|URL", help="of the data set, or of its archive [default: data]"),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        metavar="published|reduced",
        help="hours on a GPU, or minutes on a CPU [default: the experiment's, else published]",
    ),
]
Epochs = Annotated[int | None, typer.Option(metavar="N", help="stretches or shortens the recipe")]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="changes a setting of the recipe, such as amp=true; may be repeated",
    ),
]
AccuracyFile = Annotated[
    Path | None,
    typer.Option(
        "--accuracy",
        metavar="FILE",
        help="where accuracies go [default: accuracy/trained-DATASET.yaml in your manifests folder]",
    ),
]
Every = Annotated[
    float, typer.Option("--checkpoint-seconds", metavar="SECONDS", min=0.1, help="between two checkpoints")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks for."""

    model: Annotated[str, typer.Argument(metavar="MODEL", help="its id, such as vgg11-digits-uniform-p0.25")]
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=1_000_000, help="of all random numbers")] = 0
    recipe: RecipeName = None
    epochs: Epochs = None
    settings: Settings = field(default_factory=list)
    out: Out = Path("results/training")
    data: Data = None
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1, ...")] = "cpu"
    accuracy: AccuracyFile = None
    checkpoint_seconds: Every = 60.0
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="CPU threads")] = 1
    restart: Annotated[bool, typer.Option("--restart", help="discard what the folder holds")] = False
    as_json: AsJson = False

    @property
    def place(self) -> "Place":
        """Where the training runs."""
        from bench.work.resumable import Place

        return Place(self.out, self.data, self.device, self.checkpoint_seconds, self.threads)


@options_of(TrainOptions)
def train(options: TrainOptions) -> None:
    """Train one model, or go on where it was left; its accuracy goes to the accuracy file.

    bench train vgg11-digits-uniform-p0.25 --recipe reduced
    """
    import shutil

    from bench.export.plan import plan_one
    from bench.manifests.experiment import Training, parse_model_id
    from bench.train.run import train as run
    from bench.work import writable_paths

    asked = (Training(), options.recipe, options.epochs, options.settings)
    task = task_of(plan_one(parse_model_id(options.model)), options.seed, *asked)
    folder = task.folder(options.out)
    if options.restart:
        shutil.rmtree(folder, ignore_errors=True)
    writable_paths.folder("--out", folder)
    writable_paths.file("--accuracy", accuracy_file(task, options.accuracy))
    with _progress(task.model) as report:
        result = run(task, options.place, report)
    path = publish(task, options.out, options.accuracy)
    if options.as_json:
        typer.echo(json.dumps({**result, "folder": str(folder), "accuracy_file": str(path)}))
        return
    best = f"best {result['best_top1']:.2f}%, after epoch {result['best_epoch']}"
    figures = f"{result['top1']:.2f}% on the test split ({best})"
    typer.echo(f"{task.model} seed {task.seed}: {figures}; entry in {path}")


def task_of(
    planned: "Planned",
    seed: int,
    defaults: "Training",
    recipe: str | None,
    epochs: int | None,
    settings: list[str],
) -> "TrainingTask":
    """Return the training of a planned model; options come before the experiment's `defaults`."""
    from bench import zoo
    from bench.train.recipe import parse
    from bench.train.recipe import recipe as chosen
    from bench.train.task import TrainingTask

    request, scaled = planned.request, planned.scaled
    name, length = recipe or defaults.recipe, epochs if epochs is not None else defaults.epochs
    settled = chosen(name, zoo.dataset(request.dataset), length, **parse(settings))
    return TrainingTask(
        request.id,
        request.architecture,
        request.dataset,
        request.method,
        request.ratio,
        request.ratio_of,
        tuple(scaled.widths),
        scaled.params,
        scaled.macs,
        seed,
        settled,
    )


def publish(task: "TrainingTask", out: Path, path: Path | None) -> Path:
    """Write the accuracy of this model, over all its seeds, to the file; one file a data set by default."""
    from bench.train import accuracy

    target = accuracy_file(task, path)
    found = [result for result in accuracy.results(out) if result["task"]["model"] == task.model]
    accuracy.publish(found, target)
    return target


def accuracy_file(task: "TrainingTask", path: Path | None) -> Path:
    """Return the file that was named, or the data set's."""
    from bench.manifests import search_path

    return path or search_path.own() / "accuracy" / f"trained-{task.dataset}.yaml"


@contextmanager
def _progress(model: str) -> "Iterator[Report]":
    """A bar on stderr, where it is a terminal; else a line an epoch."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from bench.record.printable import printable
    from bench.work.plain_console import PlainConsole

    console, model = PlainConsole(stderr=True), printable(model)
    columns = (
        TextColumn("{task.fields[model]}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, shown = bar.add_task("", total=None, model=model), 0

        def report(trainer: "Trainer") -> None:
            nonlocal shown
            done, total = trainer.steps
            bar.update(task, completed=done, total=total)
            if len(trainer.history) > shown:
                shown = len(trainer.history)
                last = trainer.history[-1]
                text = f"epoch {shown}: loss {last['loss']:.3f}, training accuracy {last['accuracy']:.1f}%"
                bar.update(task, description=text)
                if not console.is_terminal:
                    typer.echo(f"{model} {text}", err=True)

        yield report
