"""Everything that decides a training's outcome, with the published values as defaults."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bench.data import refuse_unloadable
from bench.train.errors import TrainInputError
from bench.zoo import Dataset

LOWEST = {
    "epochs": 1, "batch": 2, "learning_rate": 1e-9, "gamma": 1e-9, "momentum": 0, "weight_decay": 0,
    "crop": 0, "rotate": 0, "label_smoothing": 0, "ema": 0,
}  # fmt: skip
BELOW = {"momentum": 1, "label_smoothing": 1, "ema": 1, "rotate": 181}


@dataclass(frozen=True)
class Recipe:
    """NeuralScale's final training on CIFAR; what it does not have is off."""

    epochs: int = 300
    batch: int = 128
    learning_rate: float = 0.1
    milestones: tuple[int, ...] = (
        100,
        200,
        250,
    )  # epochs, from 1, at whose start the rate is multiplied by gamma
    gamma: float = 0.1
    momentum: float = 0.5
    weight_decay: float = 5e-4
    crop: int = 4  # pixels that an image is shifted by, at most
    flip: bool = True
    rotate: float = 0.0  # degrees that an image is turned by, at most
    label_smoothing: float = 0.0
    ema: float = 0.0  # decay a step of the averaged weights that are then the result; 0 is without
    amp: bool = False  # bfloat16, or float16 with loss scaling on a GPU without it
    channels_last: bool = False
    compile: bool = False  # torch.compile

    def __post_init__(self) -> None:
        for name, least in LOWEST.items():
            if not getattr(self, name) >= least:
                raise TrainInputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        for name, limit in BELOW.items():
            if not getattr(self, name) < limit:
                raise TrainInputError(f"{name} must be below {limit}, not {getattr(self, name)}")

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 1."""
        return self.learning_rate * float(
            self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
        )

    def shortened(self, epochs: int) -> "Recipe":
        """Return the same schedule in another number of epochs.

        A milestone keeps its share of epochs before it.
        """
        scaled = tuple(1 + max(1, round((m - 1) * epochs / self.epochs)) for m in self.milestones)
        return replace(self, epochs=epochs, milestones=scaled)

    def as_data(self) -> dict[str, object]:
        """Return plain data, for result files."""
        return {**asdict(self), "milestones": list(self.milestones)}


def published(dataset: Dataset) -> Recipe:
    """NeuralScale's recipe for a data set. `digits` are not mirrored: a mirrored digit is none."""
    if dataset.size > 32:
        return Recipe(epochs=150, milestones=(50, 100, 150), rotate=20.0)
    return Recipe(flip=dataset.name != "digits")


def reduced(dataset: Dataset) -> Recipe:
    """Return a recipe of minutes, for machines without a GPU. Not comparable with published accuracies."""
    recipe = replace(published(dataset), epochs=12, milestones=(9, 11))
    return replace(recipe, batch=64, learning_rate=0.05, momentum=0.9, crop=2)


RECIPES = {"published": published, "reduced": reduced}


def recipe(name: str, dataset: Dataset, epochs: int | None = None, **changes: Any) -> Recipe:
    """Return the recipe called `name`, in `epochs` epochs if given, with `changes` (None changes nothing).

    TrainInputError for a bad value, DataError for a data set that cannot be trained on.
    """
    if name not in RECIPES:
        raise TrainInputError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    refuse_unloadable(dataset.name)
    chosen = RECIPES[name](dataset)
    if epochs is not None:
        if epochs < 1:
            raise TrainInputError(f"epochs must be at least 1, not {epochs}")
        chosen = chosen.shortened(epochs)
    return replace(chosen, **{key: value for key, value in changes.items() if value is not None})


def parse(pairs: list[str]) -> dict[str, object]:
    """Read settings given as NAME=VALUE, each converted to the type of its default; `milestones=10,20`."""
    defaults = {
        field.name: getattr(Recipe(), field.name) for field in fields(Recipe) if field.name != "epochs"
    }
    parsed: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in defaults:
            raise TrainInputError(f"{pair}: give NAME=VALUE with a name of {', '.join(defaults)}")
        try:
            parsed[name] = _convert(value, defaults[name])
        except (ValueError, KeyError):
            kind = type(defaults[name]).__name__
            raise TrainInputError(f"{name} must be of type {kind}, not {value!r}") from None
    return parsed


def _convert(value: str, default: object) -> object:
    if isinstance(default, bool):
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
    if isinstance(default, tuple):
        return tuple(int(part) for part in value.split(",") if part)
    return float(value) if isinstance(default, float) else int(value)
