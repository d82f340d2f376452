"""A labelled test set of one's own for one's own model: an npz, or a folder of images with a file of labels.

What goes into the bundle is what a model of the zoo gets, `input.0` (N, ...) and `label` (N,): the device
counts how often the very file that it times is right.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.export import files
from bench.export.errors import ExportError
from bench.export.own.request import OwnRequest, Prepared
from bench.export.own.values import kept
from bench.export.reference import Array, archive
from bench.record import npz
from bench.record.quantities import counted

LABELS = ("label", "labels", "y")
NEEDED = {"top1": 1, "top5": 5}  # outputs of a model, at least


def add(model: Prepared, request: OwnRequest, folder: Path) -> Prepared:
    """Return the model with its test set in `folder`; as it is where the user gave none.

    Raises ExportError.
    """
    source = request.test_set
    if source is None:
        return model
    try:
        shape, dtype = _input(model)
        images, labels = _read(source, request, str(model.entry["inputs"][0]["name"]), shape, dtype)
        _check(model, images, labels, request.metric)
        images = kept(images, np.dtype(dtype), "the array of images")
    except ExportError as error:
        raise ExportError(f"--test-set {source}: {error}") from None
    place = folder / "test.npz"
    files.write(place, archive({"input.0": images, "label": labels.astype(np.int64)}))
    return replace(model, test_set=place, entry={**model.entry, "metric": request.metric})


def _input(model: Prepared) -> tuple[list[int], str]:
    """Shape of one image, and the type of the model's only input."""
    inputs = model.entry["inputs"]
    if len(inputs) != 1 or len(inputs[0]["shape"]) < 2:
        raise ExportError(
            f"needs a model with one input whose first dimension is the batch; this one has {len(inputs)}"
            if len(inputs) != 1
            else "needs a model whose first dimension is the batch"
        )
    return list(inputs[0]["shape"][1:]), str(inputs[0]["dtype"])


def _read(source: Path, request: OwnRequest, name: str, shape: list[int], dtype: str) -> tuple[Array, Array]:
    if source.is_dir():
        from bench.export.own import images

        return images.read(source, shape, dtype, request.pixels)
    if request.pixels:
        raise ExportError("--pixels is for a folder of images; an npz is taken as it is")
    try:
        arrays = npz.load(np, str(source))
    except ValueError as error:
        raise ExportError(str(error)) from None
    called = [key for key in LABELS if key in arrays and key != name]
    if len(called) > 1:
        raise ExportError(f"holds several arrays of labels: {', '.join(called)}; leave one")
    if not called:
        raise ExportError(f"holds no array of labels; call it {', '.join(LABELS[:-1])} or {LABELS[-1]}")
    labels = arrays.pop(called[0])
    only = next(iter(arrays.values())) if len(arrays) == 1 else None
    found = arrays.get(name, arrays.get("input.0", only))
    if found is None:
        held = ", ".join(sorted(arrays)) or "none"
        raise ExportError(f"holds no array for the input {name}; it holds: {held}")
    return found, labels


def _check(model: Prepared, images: Array, labels: Array, metric: str) -> None:
    """Refuse what a device would fail at."""
    shape, dtype = _input(model)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
        raise ExportError("labels are one whole number an image, from 0")
    if images.ndim and len(images) != len(labels):
        raise ExportError(f"{len(images):,} images and {len(labels):,} labels: give one label an image")
    if images.shape != (len(labels), *shape):
        raise ExportError(f"images have shape {list(images.shape)}, the model takes {[len(labels), *shape]}")
    if not np.can_cast(images.dtype, dtype, "same_kind"):
        raise ExportError(f"images are of type {images.dtype}, the model takes {dtype}")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise ExportError("images hold NaN or infinite values: no class follows from them")
    outputs, highest = _outputs(model), int(labels.max())
    if labels.min() < 0 or highest >= outputs:
        worst = int(labels.min()) if labels.min() < 0 else highest
        raise ExportError(f"label {worst} is not among the model's outputs: 0 to {outputs - 1}")
    if outputs < NEEDED[metric]:
        raise ExportError(f"--metric {metric}: the model has only {counted(outputs, 'output')}")


def _outputs(model: Prepared) -> int:
    """Values of the first output for one image."""
    first = npz.load(np, str(model.reference), lambda name: name == "output.0")["output.0"]
    return int(first.size // model.entry["inputs"][0]["shape"][0])
