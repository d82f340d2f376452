"""`bench sweep`: the fits and accuracies of a whole experiment, as tasks on this machine or a cluster."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_app import experiments, options_of
from bench.commands.train import (
    AccuracyFile,
    Data,
    Epochs,
    Every,
    Out,
    RecipeName,
    Settings,
    accuracy_file,
    publish,
    task_of,
)
from bench.record.quantities import counted

if TYPE_CHECKING:
    from bench.export.plan import Skipped
    from bench.manifests.experiment import Experiment
    from bench.search.task import SearchTask
    from bench.train.task import TrainingTask
    from bench.work.cluster import Share
    from bench.work.resumable import Place


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sweep)


@dataclass(frozen=True)
class SweepOptions:
    """What the command line asks for."""

    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help="name in manifests/experiments, or a YAML file",
            autocompletion=experiments,
        ),
    ]
    search: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="first search the fits that are missing: published (hours to days on a GPU; also where "
            "there is only a stand-in) or reduced (CPU minutes)",
        ),
    ] = None
    search_settings: Annotated[
        list[str],
        typer.Option("--search-set", metavar="NAME=VALUE", help="a setting of the searches; may be repeated"),
    ] = field(default_factory=list)
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=100, help="trainings a model; overrides the experiment's"),
    ] = None
    recipe: RecipeName = None
    epochs: Epochs = None
    settings: Settings = field(default_factory=list)
    out: Out = Path("results/training")
    search_out: Annotated[
        Path, typer.Option(metavar="DIR", help="where searches lie, each in a folder of its fit's name")
    ] = Path("results/search")
    data: Data = None
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="a cluster's: HOST:PORT, ray://HOST:PORT or auto [default: this machine alone]",
        ),
    ] = None
    cpus: Annotated[float, typer.Option(metavar="N", min=0.1, help="CPUs of a node, for each task")] = 1.0
    gpus: Annotated[
        float, typer.Option(metavar="N", min=0, help="GPUs of a node, for each task; 0.25: four share one")
    ] = 0.0
    accuracy: AccuracyFile = None
    checkpoint_seconds: Every = 60.0
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print plan and estimate only")] = False
    tflops: Annotated[
        float, typer.Option(metavar="TFLOPS", min=0.001, help="sustained speed that --dry-run assumes")
    ] = 5.0
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False

    @property
    def device(self) -> str:
        """Where a task computes."""
        return "cuda" if self.gpus else "cpu"

    @property
    def share(self) -> "Share":
        """What a task takes of a node."""
        from bench.work.cluster import Share

        return Share(self.cpus, self.gpus)

    def place(self, out: Path) -> "Place":
        """Return where tasks run that leave their results in `out`."""
        from bench.work.resumable import Place

        return Place(out, self.data, self.device, self.checkpoint_seconds)


@options_of(SweepOptions)
def sweep(options: SweepOptions) -> None:
    """Train every model of an experiment, from several seeds, on this machine or a cluster.

    With --search, the fits that its models need and nobody has made are searched first, as tasks too.

    bench sweep digits --dry-run
    """
    from bench.errors import JobError
    from bench.manifests import experiment as experiments
    from bench.train.run import refuse_layout

    experiment = experiments.load(experiments.find(options.experiment))
    # first: what is wrong with the experiment is reported before anything is searched
    tasks, skipped = _trainings(experiment, options)
    searches, known = _needed_fits(experiment, options.search, options.search_settings)
    for task in tasks:
        refuse_layout(task.recipe, options.device)
    if options.dry_run:
        _show_plan(searches, known, tasks, skipped, options)
        return
    _try(searches, tasks, options)
    fits, errors = _search(searches, options)
    if fits:
        tasks, skipped = _trainings(experiment, options)
    _show_skipped(skipped, searched=bool(searches))
    files, failures = _train(tasks, options)
    done = len(tasks) - len(failures)
    if options.as_json:
        made = {"fits": fits, "trained": done, "untrained": [each.id for each in skipped]}
        typer.echo(json.dumps({**made, "errors": errors + failures, "accuracy_files": files}))
    elif files:
        typer.echo(f"{done} of {counted(len(tasks), 'training')} done; entries in {', '.join(files)}")
    lost = [f"{len(errors)} of {counted(len(searches), 'search')}"] if errors else []
    lost += [f"{len(failures)} of {counted(len(tasks), 'training')}"] if failures else []
    if lost:
        raise JobError(f"{' and '.join(lost)} failed; run the same command again to go on")


def _try(searches: "list[SearchTask]", tasks: "list[TrainingTask]", options: SweepOptions) -> None:
    """Refuse places that cannot be written and a cluster that nobody answers for, before days of work."""
    from bench.manifests import search_path
    from bench.scaling import fits
    from bench.work import writable_paths
    from bench.work.ray_address import check_ray_address

    if options.ray is not None:
        check_ray_address(options.ray)
    writable_paths.folder("--out", options.out)
    for path in {accuracy_file(task, options.accuracy) for task in tasks}:
        writable_paths.file("--accuracy", path)
    if searches:
        writable_paths.folder("--search-out", options.search_out)
        writable_paths.folder("fits go to", search_path.own() / fits.KIND)


def _trainings(experiment: "Experiment", options: SweepOptions) -> "tuple[list[TrainingTask], list[Skipped]]":
    """What can be trained with the fits that there are, and what cannot."""
    from bench.export.plan import plan

    models, skipped = plan(experiment, batch=1, stand_ins=options.search != "published")
    defaults, seeds = experiment.training, range(options.seeds or experiment.training.seeds)
    asked = (defaults, options.recipe, options.epochs, options.settings)
    return [task_of(model, seed, *asked) for model in models for seed in seeds], skipped


def _needed_fits(
    experiment: "Experiment", recipe: str | None, settings: list[str]
) -> "tuple[list[SearchTask], list[str]]":
    """The searches that `recipe` asks for, and the names of the fits that are there."""
    from bench.errors import InputError
    from bench.manifests.experiment import requests
    from bench.scaling import fits
    from bench.search.settings import check_recipe, parse
    from bench.search.task import plan_search
    from bench.zoo import dataset

    if recipe is None:
        if settings:
            raise InputError("--search-set changes a search: give --search published or --search reduced too")
        return [], []
    check_recipe(recipe)  # also where no fit is missing
    searches, there = [], []
    scaled = [r for r in requests(experiment, batch=1) if r.method != "uniform"]
    wanted = dict.fromkeys((r.architecture, r.dataset, r.fit, r.stand_in) for r in scaled)
    for arch, data, name, stand_in in wanted:
        fit = fits.load_named(name) if name else fits.real(arch, dataset(data))
        if fit is None and recipe != "published":  # what it would make is no better than what is there
            fit = fits.load_named(stand_in) if stand_in else fits.known(arch, data)
        if fit:
            there.append(fit.name)
        else:
            searches.append(plan_search(arch, data, recipe, parse(settings)))
    if recipe == "published" and not all(each.as_published for each in searches):
        raise InputError(
            "--search-set of more than seed and amp makes stand-ins, which --search published does not "
            "train by: leave it out, or give --search reduced"
        )
    return searches, there


def _search(searches: "list[SearchTask]", options: SweepOptions) -> tuple[list[str], list[str]]:
    """Search; the files of the fits, each written as its search ends, and what went wrong."""
    if not searches:
        return [], []
    from bench.manifests import search_path
    from bench.scaling import fits
    from bench.search.sweep import sweep as run

    paths, errors = [], []
    outcomes = run(searches, options.place(options.search_out), options.share, options.ray)
    for number, outcome in enumerate(outcomes, 1):
        if outcome.result is None:
            errors.append(str(outcome.error))
        else:
            paths.append(str(search_path.own() / fits.KIND / f"{outcome.result.name}.yaml"))
            fits.save(outcome.result, paths[-1])
        typer.echo(f"{number}/{len(searches)} {outcome.error or f'{outcome.task}: {paths[-1]}'}", err=True)
    return paths, errors


def _train(tasks: "list[TrainingTask]", options: SweepOptions) -> tuple[list[str], list[str]]:
    """Train; the accuracy files, each written as a training ends, and what went wrong."""
    from bench.train.sweep import sweep as run

    paths, errors = set(), []
    outcomes = run(tasks, options.place(options.out), options.share, options.ray)
    for number, outcome in enumerate(outcomes, 1):
        if outcome.result is None:
            errors.append(str(outcome.error))
            typer.echo(f"{number}/{len(tasks)} {outcome.error}", err=True)
        else:  # at once: what is done stays, whatever happens to the rest
            paths.add(str(publish(outcome.task, options.out, options.accuracy)))
            typer.echo(f"{number}/{len(tasks)} {outcome.task}: {outcome.result['top1']:.2f}%", err=True)
    return sorted(paths), errors


def _show_skipped(skipped: "list[Skipped]", searched: bool) -> None:
    for model in skipped:
        if searched:
            typer.echo(f"not trained: {model.id}: {model.reason}, its search failed", err=True)
        else:
            advice = f"; make one with: {model.command}, or add --search" if model.command else ""
            typer.echo(f"skipped {model.id}: {model.reason}{advice}", err=True)


def _show_plan(
    searches: "list[SearchTask]",
    known: list[str],
    tasks: "list[TrainingTask]",
    skipped: "list[Skipped]",
    options: SweepOptions,
) -> None:
    """Print what would be searched and trained, and the estimate of its GPU hours."""
    from bench.search.sweep import most_gpu_hours
    from bench.train.sweep import gpu_hours
    from bench.work.cluster import gpu_time

    first = [(task, most_gpu_hours(task, options.tflops)) for task in searches]
    then = [(task, gpu_hours(task, options.tflops)) for task in tasks]
    hours = sum(each for _, each in first + then)
    if not searches:
        _show_skipped(skipped, searched=False)
    if options.as_json:
        rows = {
            "fits": known,
            "searches": [{**task.describe(), "gpu_hours": each} for task, each in first],
            "tasks": [{**task.describe(), "gpu_hours": each} for task, each in then],
            "after_search": [model.id for model in skipped if searches],
        }
        typer.echo(json.dumps({**rows, "gpu_hours": hours, "tflops": options.tflops}))
        return
    for name in known:
        typer.echo(f"fit {name}: there")
    for search, each in first:
        what = f"{search}: {search.recipe}, rounds: {search.settings.iterations}"
        typer.echo(f"{what}, at most about {gpu_time(each)}")
    for task, each in then:
        typer.echo(f"{task}: {counted(task.recipe.epochs, 'epoch')}, about {gpu_time(each)}")
    for model in skipped if searches else []:
        typer.echo(f"{model.id}: after its search, which decides its widths; not in the estimate")
    what = f"{counted(len(searches), 'search')} and " * bool(searches) + f"{counted(len(tasks), 'training')}"
    typer.echo(f"{what}, about {gpu_time(hours)} at {options.tflops:g} TFLOP/s (--tflops)")
