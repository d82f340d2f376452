"""`bench train` and `bench sweep`: accuracies of our own, by model or by experiment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.train.run import Report
    from bench.train.task import Task

Out = Annotated[Path, typer.Option(help="where trainings lie, each in MODEL/seed-N")]
Data = Annotated[str | None, typer.Option(help="folder, archive or URL of the data set [default: data]")]
RecipeName = Annotated[str | None, typer.Option(help="published, or reduced: minutes on a CPU")]
Epochs = Annotated[int | None, typer.Option(help="stretches or shortens the recipe")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="a setting; may be repeated"),
]
AccuracyFile = Annotated[
    Path | None, typer.Option("--accuracy", help="default: manifests/accuracy/trained-DATASET.yaml")
]
Every = Annotated[float, typer.Option("--checkpoint-seconds", min=0.1, help="between two checkpoints")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(sweep)


def train(
    model: Annotated[str, typer.Argument(help="a model id, such as vgg11-digits-uniform-p0.25")],
    seed: Annotated[int, typer.Option(min=0, max=1_000_000)] = 0,
    recipe: RecipeName = None,
    epochs: Epochs = None,
    settings: Settings = None,
    out: Out = Path("results/training"),
    data: Data = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    accuracy: AccuracyFile = None,
    checkpoint_seconds: Every = 60.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1,
    restart: Annotated[bool, typer.Option("--restart", help="discard what the folder holds")] = False,
    as_json: AsJson = False,
) -> None:
    """Train one model, or go on where it was left; its accuracy goes to the accuracy file."""
    import shutil

    from bench.experiment import Training, named
    from bench.export.plan import planned
    from bench.train.run import Place
    from bench.train.run import train as run

    task = _task(planned(named(model)), seed, Training(), recipe, epochs, settings)
    if restart:
        shutil.rmtree(task.folder(out), ignore_errors=True)
    with _progress(task.model) as report:
        result = run(task, Place(out, data, device, checkpoint_seconds, threads), report)
    path = _publish(task, out, accuracy)
    if as_json:
        typer.echo(json.dumps({**result, "folder": str(task.folder(out)), "accuracy_file": str(path)}))
        return
    typer.echo(f"{task.model} seed {seed}: {result['accuracy']:.2f}% on the test split; entry in {path}")


def sweep(
    experiment: Annotated[str, typer.Argument(help="name in manifests/experiments, or a YAML file")],
    seeds: Annotated[int | None, typer.Option(min=1, max=100, help="overrides the experiment's")] = None,
    recipe: RecipeName = None,
    epochs: Epochs = None,
    settings: Settings = None,
    out: Out = Path("results/training"),
    data: Data = None,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="a cluster's [default: none]")] = None,
    cpus: Annotated[float, typer.Option(min=0.1, help="of a node, for each task")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0, help="of a node, for each task; 0.25: four share one")] = 0.0,
    accuracy: AccuracyFile = None,
    checkpoint_seconds: Every = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print plan and estimate only")] = False,
    tflops: Annotated[float, typer.Option(min=0.001, help="sustained speed that --dry-run assumes")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Train every model of an experiment, from several seeds, on this machine or a cluster."""
    from bench import experiment as experiments
    from bench.errors import JobError
    from bench.export.plan import plan
    from bench.train.run import Place
    from bench.train.sweep import Share
    from bench.train.sweep import sweep as run

    loaded = experiments.load(experiments.find(experiment))
    models, skipped = plan(loaded, batch=1)
    count = seeds or loaded.training.seeds
    tasks = [
        _task(m, seed, loaded.training, recipe, epochs, settings) for m in models for seed in range(count)
    ]
    for missing in skipped:
        typer.echo(f"skipped {missing.id}: {missing.reason}; make one with: {missing.command}", err=True)
    if dry_run:
        _show_plan(tasks, tflops, as_json)
        return
    place = Place(out, data, "cuda" if gpus else "cpu", checkpoint_seconds)
    paths, errors = set(), []
    for number, outcome in enumerate(run(tasks, place, Share(cpus, gpus), ray), 1):
        typer.echo(f"{number}/{len(tasks)} {outcome}", err=True)
        if outcome.error:
            errors.append(outcome.error)
        else:  # at once: what is done stays, whatever happens to the rest
            paths.add(str(_publish(outcome.task, out, accuracy)))
    done, failed = len(tasks) - len(errors), len(errors)
    if as_json:
        typer.echo(json.dumps({"trained": done, "errors": errors, "accuracy_files": sorted(paths)}))
    elif paths:
        typer.echo(f"{done} of {len(tasks)} trainings done; entries in {', '.join(sorted(paths))}")
    if failed:
        raise JobError(f"{failed} of {len(tasks)} trainings failed; run the same command again to go on")


def _task(
    planned: Any, seed: int, defaults: Any, recipe: str | None, epochs: int | None, settings: list[str] | None
) -> "Task":
    from bench import zoo
    from bench.train.recipe import parse
    from bench.train.recipe import recipe as chosen
    from bench.train.task import Task

    request, scaled = planned.request, planned.scaled
    name, length = recipe or defaults.recipe, epochs if epochs is not None else defaults.epochs
    settled = chosen(name, zoo.dataset(request.dataset), length, **parse(settings or []))
    return Task(
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


def _publish(task: "Task", out: Path, path: Path | None) -> Path:
    """The accuracy of this model, over all its seeds, to the file; one file a data set by default."""
    from bench.train import accuracy

    target = path or Path("manifests/accuracy") / f"trained-{task.dataset}.yaml"
    found = [result for result in accuracy.results(out) if result["task"]["model"] == task.model]
    accuracy.publish(found, target)
    return target


@contextmanager
def _progress(model: str) -> "Iterator[Report]":
    """A bar on stderr, where it is a terminal; else a line an epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(model), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, told = bar.add_task("", total=None), 0

        def report(trainer: Any) -> None:
            nonlocal told
            done, total = trainer.steps
            bar.update(task, completed=done, total=total)
            if len(trainer.history) > told:
                told = len(trainer.history)
                last = trainer.history[-1]
                said = f"epoch {told}: loss {last['loss']:.3f}, training accuracy {last['accuracy']:.1f}%"
                bar.update(task, description=said)
                if not console.is_terminal:
                    typer.echo(f"{model} {said}", err=True)

        yield report


def _show_plan(tasks: "list[Task]", tflops: float, as_json: bool) -> None:
    from bench.train.sweep import gpu_hours

    hours = [gpu_hours(task, tflops) for task in tasks]
    if as_json:
        rows = [{**task.describe(), "gpu_hours": each} for task, each in zip(tasks, hours, strict=True)]
        typer.echo(json.dumps({"tasks": rows, "gpu_hours": sum(hours), "tflops": tflops}))
        return
    for task, each in zip(tasks, hours, strict=True):
        typer.echo(f"{task.model} seed {task.seed}: {task.recipe.epochs} epochs, about {each:.2g} GPU hours")
    typer.echo(f"{len(tasks)} trainings, about {sum(hours):.3g} GPU hours at {tflops:g} TFLOP/s (--tflops)")
