"""`load`: a data set's split as two tensors. A loader per data set, by import path."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.errors import DataError
from bench.record.loaders import LOADERS

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = ("train", "test")


def load(dataset: str, split: str, root: Path | str | None = None) -> tuple[Tensor, Tensor]:
    """Return images (N x 3 x H x W, float32 from 0 to 1) and labels (N, int64) of one split.

    `root` is a folder with the official archive, the archive itself or its URL; None is $ORBITBENCH_DATA or
    ./data. Raises DataError.
    """
    images, labels = load_stored(dataset, split, root)
    return (images if images.is_floating_point() else images.float().div_(255)), labels


def load_stored(dataset: str, split: str, root: Path | str | None = None) -> tuple[Tensor, Tensor]:
    """Do as `load`, with images as in the archive: uint8 from 0 to 255 takes a quarter of the memory."""
    refuse_unloadable(dataset)
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    images, labels = import_module(LOADERS[dataset]).load(dataset, split, root)
    return images, labels


def refuse_unloadable(dataset: str) -> None:
    """DataError for a data set without a loader: its networks are scaled, exported and measured only."""
    if dataset not in LOADERS:
        raise DataError(f"no loader for dataset {dataset!r}; known: {', '.join(LOADERS)}")


def digest(*tensors: Tensor) -> str:
    """Return the SHA-256 over shapes, types and bytes: two trainings with one digest saw the same data."""
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        state.update(tensor.contiguous().numpy().data.cast("B"))
    return state.hexdigest()
