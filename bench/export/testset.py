"""Labelled test sets of a bundle: one file a data set, shared by its trained models (docs/formats.md).

Devices measure top-1 of the very file that they time. That means something for a trained network
only: a model with random weights gets no test set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.export import files
from bench.export.reference import archive

if TYPE_CHECKING:
    from bench.export.plan import Planned
    from bench.export.trained import Trained
    from bench.record.types import LabelledSet


def add(
    folder: Path, planned: Sequence[Planned], wanted: bool | int, data: str | None
) -> dict[str, LabelledSet | None]:
    """Write the test sets; model id -> what its entry names as `test_set`, None for random weights.

    `wanted`: all images, at most so many, or False for none at all. `data`: as in `bench.data.load`. Raises
    DataError where the images are not here.
    """
    if wanted is False:
        return {}
    written: dict[str, LabelledSet] = {}
    return {each.request.id: _of(folder, each, wanted, data, written) for each in planned}


def _of(
    folder: Path, planned: Planned, wanted: bool | int, data: str | None, written: dict[str, LabelledSet]
) -> LabelledSet | None:
    if planned.trained is None:
        return None
    dataset = planned.request.dataset
    key = json.dumps([dataset, planned.trained.normalisation])
    if key not in written:
        content = _pack(dataset, planned.trained, wanted, data)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"reference/test-{dataset}-{sha256[:8]}.npz"
        files.write(folder / name, content)
        written[key] = {"file": name, "sha256": sha256}
    return written[key]


def _pack(dataset: str, trained: Trained, wanted: bool | int, data: str | None) -> bytes:
    """Return the npz: images as the network was trained to see them (N x 3 x H x W, float32), labels (N,
    int64).

    Fewer than all are taken at equal steps: digits are in the order of their writers.
    """
    from bench.data import load  # torch: only where a test set is wanted

    images, labels = (tensor.numpy() for tensor in load(dataset, "test", data))
    count = len(labels) if wanted is True else min(wanted, len(labels))
    chosen = [index * len(labels) // count for index in range(count)]
    mean, deviation = (
        [[[value]] for value in trained.normalisation[name]] for name in ("mean", "deviation")
    )  # 3 x 1 x 1
    normalised = ((images[chosen] - mean) / deviation).astype("float32")
    return archive({"input.0": normalised, "label": labels[chosen]})
