"""One training: which network, from which seed, and where its files lie."""

from dataclasses import dataclass
from pathlib import Path

from bench.train.recipe import Recipe
from bench.train.result import TaskData


@dataclass(frozen=True)
class TrainingTask:
    """A network of given widths that is trained from `seed`. `model` is its id, as in bundles."""

    model: str
    architecture: str
    dataset: str
    method: str
    ratio: float
    ratio_of: str
    widths: tuple[int, ...]
    params: int
    macs: int
    seed: int
    recipe: Recipe

    def __str__(self) -> str:
        return f"{self.model} seed {self.seed}"

    def folder(self, out: Path) -> Path:
        """Return where this training's files lie: `OUT/MODEL/seed-N`."""
        return out / self.model / f"seed-{self.seed}"

    def describe(self) -> TaskData:
        """Return plain data: what a checkpoint must agree with, and what a result holds."""
        return {
            "model": self.model,
            "architecture": self.architecture,
            "dataset": self.dataset,
            "method": self.method,
            "ratio": self.ratio,
            "ratio_of": self.ratio_of,
            "widths": list(self.widths),
            "params": self.params,
            "macs": self.macs,
            "seed": self.seed,
            "recipe": self.recipe.as_data(),
        }
