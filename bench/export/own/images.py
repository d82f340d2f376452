"""A folder of images with a file of labels, read through Pillow as a network takes them.

`labels.csv` (or `labels.txt`) has one line an image: its path in the folder, then its label, a whole number
from 0, behind a comma or blanks. A first line without a number is a heading.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.export.errors import ExportError
from bench.export.reference import Array
from bench.record.checks import escapes

MOST_BYTES = 2_000_000_000  # of all images, as the model takes them
FILES = ("labels.csv", "labels.txt")
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet's training images, RGB
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
# From bytes to what a network was trained to see.
PIXELS: dict[str, Callable[[Array], Array]] = {
    "unit": lambda image: image / np.float32(255),
    "signed": lambda image: image / np.float32(127.5) - 1,
    "imagenet": lambda image: (image / np.float32(255) - MEAN) / DEVIATION,
    "raw": lambda image: image,
}


def read(folder: Path, shape: list[int], dtype: str, pixels: str | None) -> tuple[Array, Array]:
    """Return images (N, *shape) and labels (N,). Raises ExportError.

    shape: of one image, channels first or last. pixels: how bytes become numbers; None: `unit` for floats,
    `raw` for whole numbers.
    """
    listed = _labels(folder)
    how = pixels or ("unit" if np.dtype(dtype).kind == "f" else "raw")
    if how != "raw" and np.dtype(dtype).kind != "f":
        raise ExportError(f"--pixels {how}: the model takes {dtype}, so raw is all that fits")
    size = len(listed) * int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size > MOST_BYTES:
        raise ExportError(
            f"{len(listed):,} images take {size / 1e9:.1f} GB; at most {MOST_BYTES / 1e9:.0f} GB"
        )
    images = np.empty((len(listed), *shape), dtype)
    for place, (name, _) in enumerate(listed):
        images[place] = _image(folder, name, shape, PIXELS[how])
    return images, np.array([label for _, label in listed])


def _reason(error: Exception) -> object:
    """What is wrong, without the path that a system's error repeats."""
    return (isinstance(error, OSError) and error.strerror) or error


def _labels(folder: Path) -> list[tuple[str, int]]:
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise ExportError(f"a folder of images needs {FILES[0]}: a line an image, its file and its label")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path.name} cannot be read: {_reason(error)}") from None
    found = []
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"\s*(.+?)(?:\s*[,;\t]\s*|\s+)(\d{1,9})\s*", line)
        if match:
            found.append((match[1].strip('"'), int(match[2])))
        elif line.strip() and number > 1:
            raise ExportError(f"{path.name}:{number}: give an image's file and its label, such as cat.png,3")
    if not found:
        raise ExportError(f"{path.name} names no image")
    return found


def _image(folder: Path, name: str, shape: list[int], numbers: Callable[[Array], Array]) -> Array:
    """One image, its middle scaled to the model's size."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ExportError("a folder of images needs Pillow: pip install pillow") from None
    if escapes(name):
        raise ExportError(f"{name}: leads out of the folder")
    channels_first = len(shape) == 3 and shape[0] in (1, 3)
    if len(shape) != 3 or not (channels_first or shape[-1] in (1, 3)):
        raise ExportError(f"images do not fit an input of {shape}; needed: 1 or 3 channels, height and width")
    height, width = shape[1:] if channels_first else shape[:2]
    grey = (shape[0] if channels_first else shape[-1]) == 1
    try:
        with Image.open(folder / name) as opened:
            fitted = ImageOps.fit(opened.convert("L" if grey else "RGB"), (width, height))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExportError(f"{name} cannot be read as an image: {_reason(error)}") from None
    pixels = np.asarray(fitted, np.uint8).reshape(height, width, -1)
    if grey and numbers is PIXELS["imagenet"]:
        raise ExportError("--pixels imagenet is for three channels")
    made = numbers(pixels)
    return made.transpose(2, 0, 1) if channels_first else made
