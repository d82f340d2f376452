"""TinyImageNet (Stanford CS231n): 200 classes, 64 x 64 RGB, 100,000 + 10,000 images.

The official test split has no labels, so `test` is the official validation split, all of it. (NeuralScale's
authors test on half of it.) Decoding the JPEGs takes minutes: the arrays are kept beside the archive.
"""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from bench.data.archive import Archive
from bench.data.errors import DataError

ARCHIVE = Archive(
    "tinyimagenet", "tiny-imagenet-200.zip", "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821", "248 MB",
)  # fmt: skip
TOP = "tiny-imagenet-200"
SIZE = 64


def load(dataset: str, split: str, root: Path | str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images (N x 3 x 64 x 64, uint8) and labels (N, int64), classes in the order of their WordNet
    ids."""
    path = ARCHIVE.locate(root)
    kept = path.with_name(f"{path.stem}.{ARCHIVE.sha256[:8]}.{split}.npz")
    if not kept.is_file():
        _decode(path, split, kept)
    with np.load(kept) as arrays:
        return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])


def _decode(path: Path, split: str, kept: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            classes = sorted(archive.read(f"{TOP}/wnids.txt").decode().split())
            names = _training(archive, classes) if split == "train" else _validation(archive, classes)
            images = np.stack([_image(archive.read(name)) for name, _ in names])
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    partial = kept.with_name(f".{kept.stem}.{os.getpid()}.npz")
    np.savez(partial, images=images, labels=np.array([label for _, label in names], np.int64))
    partial.replace(kept)


def _training(archive: zipfile.ZipFile, classes: list[str]) -> list[tuple[str, int]]:
    order = {name: index for index, name in enumerate(classes)}
    images = sorted(n for n in archive.namelist() if n.startswith(f"{TOP}/train/") and n.endswith(".JPEG"))
    return [(name, order[name.split("/")[2]]) for name in images]


def _validation(archive: zipfile.ZipFile, classes: list[str]) -> list[tuple[str, int]]:
    rows = archive.read(f"{TOP}/val/val_annotations.txt").decode().splitlines()
    pairs = [row.split("\t")[:2] for row in rows]
    return [(f"{TOP}/val/images/{name}", classes.index(wnid)) for name, wnid in pairs]


def _image(raw: bytes) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """3 x 64 x 64; some of the images are grey."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            "reading TinyImageNet's JPEGs needs Pillow: pip install 'orbitbench[train]'"
        ) from None
    with Image.open(io.BytesIO(raw)) as image:
        pixels = np.asarray(image.convert("RGB"), np.uint8)
    if pixels.shape != (SIZE, SIZE, 3):
        raise ValueError(f"an image of {pixels.shape[1]} x {pixels.shape[0]} pixels, not {SIZE} x {SIZE}")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
