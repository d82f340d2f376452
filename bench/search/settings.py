"""A search's settings: everything that decides its outcome, with the published values as defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bench.data import refuse_unloadable
from bench.search.errors import SearchInputError
from bench.zoo import Architecture, Dataset


@dataclass(frozen=True)
class SearchSettings:
    """Published values (NeuralScale's released search on CIFAR) unless stated otherwise."""

    seed: int = 0
    iterations: int = 15  # rounds of architecture descent
    width_ratio: float = 1.0  # size of the first network: default widths times this; published: 1
    image_size: int = 0  # pixels a side, 0 for the data set's own; published: its own
    batch: int = 256
    warmup_epochs: int = 10  # training before pruning begins
    max_epochs: int = 300  # a round that has not stopped by then is cut off
    learning_rate: float = 0.1  # during warm-up
    prune_rate: float = 0.01  # from its end on, divided by `decay` every `decay_epochs`
    decay: float = 1.5
    decay_epochs: int = 10
    decay_on_multiples: bool = (
        False  # at epochs divisible by `decay_epochs`, not counted from the warm-up's end
    )
    momentum: float = 0.5
    weight_decay: float = 5e-4  # of every weight but the gates
    minibatches: int = 50  # between two prunings
    units: int = 10  # closed at each pruning
    fraction: float = 0.95  # of all units, after which a round ends
    widen_below: int = 10  # a later round's layer narrower than this gets this many units more
    crop: int = 4  # pixels that an image is shifted by, at most
    rotate: float = 0.0  # degrees that an image is turned by, at most
    flip: bool = True
    amp: bool = False  # bfloat16 where torch's autocast allows

    def __post_init__(self) -> None:
        low = {"iterations": 1, "batch": 2, "minibatches": 1, "units": 1, "max_epochs": 1, "image_size": 0}
        for name, least in {
            **low,
            "warmup_epochs": 0,
            "widen_below": 0,
            "crop": 0,
            "rotate": 0,
            "decay_epochs": 1,
        }.items():
            if getattr(self, name) < least:
                raise SearchInputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        for name in ("width_ratio", "learning_rate", "prune_rate", "decay"):
            if not getattr(self, name) > 0:
                raise SearchInputError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 < self.fraction < 1:
            raise SearchInputError(f"fraction must be between 0 and 1, not {self.fraction}")

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 1."""
        if epoch < self.warmup_epochs:
            return self.learning_rate
        since = epoch - epoch % self.decay_epochs if self.decay_on_multiples else epoch
        return self.prune_rate / self.decay ** (max(0, since - self.warmup_epochs) // self.decay_epochs)

    def prunes(self, epoch: int) -> bool:
        """Is this epoch, counted from 1, past the warm-up?"""
        return epoch > self.warmup_epochs

    def as_data(self) -> dict[str, str | int | float | bool | None]:
        """Return plain data for records and provenance."""
        return asdict(self)


def published(architecture: Architecture, dataset: Dataset) -> SearchSettings:
    """Return the settings of the searches that the published figures come from."""
    if dataset.size > 32:
        warmup = 15 if architecture.name == "mobilenetv2" else 10
        return SearchSettings(
            batch=100, minibatches=100, crop=0, rotate=20.0, warmup_epochs=warmup, decay_on_multiples=True
        )
    return SearchSettings(flip=dataset.name != "digits")


def is_as_published(settings: SearchSettings, architecture: Architecture, dataset: Dataset) -> bool:
    """Return whether a search with these settings is one as published, whatever its seed and amp."""
    usual = published(architecture, dataset)
    return replace(settings, seed=usual.seed, amp=usual.amp) == usual


def reduced(architecture: Architecture, dataset: Dataset) -> SearchSettings:
    """Return settings for minutes on one CPU core: a narrow network, small images. Not comparable."""
    width_ratio = 0.25
    return SearchSettings(
        iterations=2,
        width_ratio=width_ratio,
        image_size=32 if architecture.name == "vgg11" else dataset.size // 2,  # VGG halves five times
        batch=32,
        warmup_epochs=3,
        learning_rate=0.05,
        minibatches=4,
        units=max(1, int(sum(architecture.default_widths) * width_ratio) // 100),  # a hundred steps or so
        widen_below=6,
        crop=1,
        flip=dataset.name != "digits",
    )


RECIPES = {"published": published, "reduced": reduced}


def check_recipe(name: str) -> None:
    """Raise SearchInputError where no recipe has this name."""
    if name not in RECIPES:
        raise SearchInputError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")


def recipe(name: str, architecture: Architecture, dataset: Dataset, **changes: Any) -> SearchSettings:
    """Return the settings called `name`, with `changes` (those that are None are left out)."""
    check_recipe(name)
    refuse_unloadable(dataset.name)
    known = {field.name for field in fields(SearchSettings)}
    for key in changes:
        if key not in known:
            raise SearchInputError(f"unknown setting {key!r}; known: {', '.join(sorted(known))}")
    return replace(
        RECIPES[name](architecture, dataset), **{k: v for k, v in changes.items() if v is not None}
    )


def parse(pairs: list[str]) -> dict[str, object]:
    """Read settings given as NAME=VALUE, each converted to the type of its default."""
    kinds = {field.name: type(getattr(SearchSettings(), field.name)) for field in fields(SearchSettings)}
    parsed: dict[str, object] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in kinds:
            raise SearchInputError(f"unknown setting {name!r}; known: {', '.join(kinds)}")
        try:
            parsed[name] = (
                value.lower() in ("1", "true", "yes") if kinds[name] is bool else kinds[name](value)
            )
        except ValueError:
            raise SearchInputError(f"{name} must be of type {kinds[name].__name__}, not {value!r}") from None
    return parsed
