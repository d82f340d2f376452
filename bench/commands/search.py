"""`bench search`: make a fit of one's own."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_app import options_of
from bench.record.quantities import counted

if TYPE_CHECKING:
    from bench.search.descent import Search
    from bench.search.round import SearchRound

LINE_EVERY = 10.0  # seconds between two lines of progress where no terminal is watching


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


@dataclass(frozen=True)
class SearchOptions:
    """What the command line asks for."""

    arch: Annotated[str, typer.Argument(metavar="ARCH", help="vgg11, mobilenetv2, preact_resnet18, resnet50")]
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", metavar="DATASET", help="cifar10, cifar100, tinyimagenet, digits"),
    ]
    recipe: Annotated[
        str, typer.Option(metavar="published|reduced", help="hours to days on a GPU, or minutes on a CPU")
    ] = "published"
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="changes a setting of the recipe; may be repeated"),
    ] = field(default_factory=list)
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of all random numbers")] = 0
    iterations: Annotated[
        int | None, typer.Option(metavar="N", help="rounds of architecture descent [default: the recipe's]")
    ] = None
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1, ...")] = "cpu"
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="CPU threads")] = 1
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR|FILE|URL", help="of the data set, or of its archive [default: data]"),
    ] = None
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="checkpoint and record; taken up where it stopped [default: results/search/NAME]",
        ),
    ] = None
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the fit [default: manifests/scaling/NAME.yaml]")
    ] = None


@options_of(SearchOptions)
def search(options: SearchOptions) -> None:
    """Prune, fit, descend: alpha and beta for one architecture on one data set, into manifests/scaling.

    Stopped (Ctrl-C) or killed, the same command goes on where it was.

    bench search vgg11 --dataset digits --recipe reduced
    """
    from bench.manifests import search_path
    from bench.scaling import fits
    from bench.search import settings, task
    from bench.search.descent import StoppedError
    from bench.work import writable_paths
    from bench.work.resumable import Place

    changes = {"seed": options.seed, "iterations": options.iterations, **settings.parse(options.set_)}
    chosen = task.plan_search(options.arch, options.dataset, options.recipe, changes)
    folder = writable_paths.folder("--work", options.work or chosen.folder(Path("results/search")))
    fit_file = options.out or search_path.own() / fits.KIND / f"{chosen.name}.yaml"
    path = writable_paths.manifest("--out", fit_file)
    place = Place(folder.parent, options.data, options.device, threads=options.threads)
    try:
        fit = task.search(chosen, folder, place, Progress())
    except StoppedError:
        typer.echo(f"stopped; {folder} holds the checkpoint: the same command goes on from there", err=True)
        raise typer.Exit(130) from None
    fits.save(fit.model_copy(update={"name": path.stem}), path)
    typer.echo(
        f"{path}: {counted(fit.rows or 0, 'step')} fitted, residual of ln(width) {fit.rmse or 0:.3f}; "
        f"record in {folder}"
    )


class Progress:
    """One line on stderr: round, epoch, step, open units, loss, time left."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.shown = self.began = 0.0  # at the end of the first minibatch, which warms caches up
        self.minibatches = 0

    def __call__(self, run: "Search", now: "SearchRound") -> None:
        """Show where the search is, at most every LINE_EVERY seconds (a terminal: ten times as often)."""
        moment = time.monotonic()
        if not self.began:
            self.shown = self.began = moment
            return
        self.minibatches += 1
        if moment - self.shown < LINE_EVERY / (10 if self.terminal else 1):
            return
        self.shown = moment
        each = (moment - self.began) / self.minibatches
        later = (run.settings.iterations - now.number) * now.whole()
        seconds = int(each * (now.left() + later))
        left = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        text = (
            f"round {now.number}/{run.settings.iterations}  epoch {now.epoch}  "
            f"step {now.pruner.steps}/{now.pruner.last_step}  units {int(now.pruner.open.sum())}  "
            f"loss {now.last_loss:.3f}  at most {left} left"
        )
        typer.echo(f"\r{text}\x1b[K" if self.terminal else text, err=True, nl=not self.terminal)
