"""Weights that `bench train` made: found by model id, taken only for the very same widths."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.export.errors import ExportError
from bench.record.files import BadFileError, read_json, sha256_of

# Of bench.train.run, which this must not import: it needs torch.
RESULT, WEIGHTS, SCHEMA = "result.json", "model.pt", 2
USED = ("seed", "widths", "recipe")  # of its task


@dataclass(frozen=True)
class Trained:
    """A weights file, its hash, its training's seed and recipe, and how its images were normalised."""

    path: Path
    sha256: str
    seed: int
    recipe: dict[str, Any]
    normalisation: dict[str, list[float]]  # channels of images from 0 to 1: minus `mean`, over `deviation`

    def __str__(self) -> str:
        return f"trained seed {self.seed} sha256 {self.sha256}"


def find_trained(folder: Path, model: str, widths: list[int]) -> Trained | None:
    """Return the trained weights of `model` with the lowest seed, or None.

    Other widths are another network.
    """
    found = [_read(path) for path in (folder / model).glob(f"seed-*/{RESULT}")]
    seeds = {
        result["task"]["seed"]: (path, result) for path, result in found if result["task"]["widths"] == widths
    }
    if not seeds:
        return None
    home, result = seeds[min(seeds)]
    path = home / WEIGHTS
    if not path.is_file():
        return None
    return Trained(path, sha256_of(str(path)), min(seeds), result["task"]["recipe"], result["normalisation"])


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    """A result; ExportError for one of an older format, whose weights may be of another function."""
    try:
        result = read_json(str(path))
        theirs = result["schema"]
        used = theirs != SCHEMA or [result["task"][key] for key in USED] + [result["normalisation"]]
    except (BadFileError, KeyError, TypeError) as error:
        raise ExportError(f"{path} cannot be used: {error}; train the model again") from None
    if used is True:
        raise ExportError(
            f"{path} is of format {theirs}, not {SCHEMA}; train the model again (bench train MODEL --restart)"
        )
    return path.parent, result
