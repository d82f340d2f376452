"""One search: of what, with which settings, where its files lie, and the fit that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.scaling import scale
from bench.scaling.fits import STAND_IN, Fit
from bench.search.descent import Search
from bench.search.round import SearchRound
from bench.search.settings import SearchSettings, is_as_published, recipe
from bench.work.resumable import Place, asked_to_stop, hold_folder
from bench.work.torch_device import at_work, use_device
from bench.zoo import architecture, dataset

Progress = Callable[[Search, SearchRound], None]


@dataclass(frozen=True)
class SearchTask:
    """A search of `architecture` on `dataset`; `settings` are those of `recipe`, with changes."""

    architecture: str
    dataset: str
    recipe: str
    settings: SearchSettings

    def __str__(self) -> str:
        return f"search of {self.architecture} on {self.dataset}"

    @property
    def name(self) -> str:
        """What its fit is called."""
        return f"{self.architecture}-{self.dataset}-{self.recipe}-seed{self.settings.seed}"

    @property
    def command(self) -> str:
        """The command that makes this search, all settings included that are not the recipe's own."""
        mine = self.settings.as_data()
        usual = recipe(self.recipe, architecture(self.architecture), dataset(self.dataset)).as_data()
        changed = [f" --set {key}={mine[key]}" for key in mine if mine[key] != usual[key] and key != "seed"]
        what = f"bench search {self.architecture} --dataset {self.dataset} --recipe {self.recipe}"
        return f"{what}{''.join(changed)} --seed {self.settings.seed}"

    @property
    def as_published(self) -> bool:
        """Whether its fit counts as searched: its settings are the published ones, seed and amp apart."""
        return is_as_published(self.settings, architecture(self.architecture), dataset(self.dataset))

    def folder(self, out: Path) -> Path:
        """Return where checkpoint and record lie, unless the user has named a folder."""
        return out / self.name

    def describe(self) -> dict[str, object]:
        """Return plain data, for plans."""
        names = {"architecture": self.architecture, "dataset": self.dataset, "recipe": self.recipe}
        return {**names, "name": self.name, "settings": self.settings.as_data()}


def plan_search(arch: str, data: str, recipe_name: str, changes: dict[str, object]) -> SearchTask:
    """Return the task of searching `arch` on `data` with a recipe and changes to it.

    SearchInputError, ZooError.
    """
    net, shape = architecture(arch), dataset(data)
    settings = recipe(recipe_name, net, shape, **changes)
    net.network(net.default_widths, shape).cost(settings.image_size or shape.size)  # large enough?
    return SearchTask(arch, data, recipe_name, settings)


def search(
    task: SearchTask, folder: Path, place: Place, progress: Progress = lambda search, now: None
) -> Fit:
    """Search to the end, from the checkpoint in `folder` where there is one; the fit, with its provenance.

    SIGINT and SIGTERM end it with StoppedError after a checkpoint. Raises SearchInputError and DivergedError
    as `Search.run` does, DeviceFailedError, BusyError where another process searches in this folder.
    """
    use_device(place.device)
    with hold_folder(folder), asked_to_stop() as stop:
        torch.set_num_threads(place.threads)
        run = Search(
            architecture(task.architecture),
            dataset(task.dataset),
            task.settings,
            folder,
            place.device,
            place.data,
            place.every,
        )
        with at_work(place.device):
            fit = run.run(progress, stop)
    provenance = fit.provenance.model_copy(update={"source": task.command})
    quality = fit.quality if task.as_published else STAND_IN
    return fit.model_copy(update={"name": task.name, "quality": quality, "provenance": provenance})


def most_work(task: SearchTask) -> tuple[float, float]:
    """Return (MACs of an image, images) that a search takes at most, by its first network.

    Pruned units are masked, not cut, so that no step is cheaper than the first; rounds after the first are
    of the same number of parameters, and taken to be of its MACs and units too.
    """
    settings, shape = task.settings, dataset(task.dataset)
    net = architecture(task.architecture)
    widths = scale(net, shape, "uniform", settings.width_ratio, "width").widths
    macs = net.network(widths, shape).cost(settings.image_size or shape.size)[0].macs
    prunings = -(-int(settings.fraction * sum(widths)) // settings.units)
    warmup = settings.warmup_epochs * shape.examples
    limit = settings.max_epochs * shape.examples
    images = min(limit, warmup + prunings * settings.minibatches * settings.batch)
    return macs, images * settings.iterations
