"""Accuracy of the very artefact that was timed, on a labelled test set that the bundle may hold."""

from typing import TYPE_CHECKING, Tuple

from bench.record.types import Accuracy, Task
from bench.runtime.backends.base import Backend, BackendError
from bench.runtime.measure.model_io import Arrays, stored_arrays

if TYPE_CHECKING:
    import numpy

PLACES = {"top1": 1, "top5": 5}  # metric -> how many of the largest outputs may hold the label


def measure_accuracy(backend: Backend, inputs: Arrays, task: Task, test_set: str) -> Accuracy:
    """Measure {value (percent), metric, n, non_finite, source, hashes of model and test set}.

    After the last rung. An image whose largest output is NaN or infinite is no hit; `non_finite` counts them.
    Where all are such, the value is None. (Minus infinity beside finite outputs is a model's own mask.)
    The test set is an npz with `input.0` (N, ...) and `label` (N,). It is fed through the bound input array,
    batch by batch; the last batch is filled up with its own first image, which is not counted again.
    """
    import numpy

    model = task["job"]["model"]
    described = model["test_set"]
    assert described  # its path is `test_set`
    images, labels = _labelled(test_set, inputs)
    array = next(iter(inputs.values()))
    metric = described.get("metric") or "top1"
    hits, lost, batch = 0, 0, array.shape[0]
    for first in range(0, len(labels), batch):
        part = images[first : first + batch]
        array[...] = part[0]
        array[: len(part)] = part
        backend.bind(inputs)
        backend.infer()
        found = backend.outputs()[0].reshape(batch, -1)[: len(part)]
        sound = numpy.isfinite(found.max(axis=1))
        lost += int((~sound).sum())
        hits += _hits(found[sound], labels[first : first + batch][sound], PLACES[metric])
    return {
        "value": 100.0 * hits / len(labels) if lost < len(labels) else None,
        "unit": "percent",
        "metric": metric,
        "source": "measured",
        "n": len(labels),
        "non_finite": lost,
        "model_sha256": model["sha256"],
        "test_set_sha256": described["sha256"],
    }


def _labelled(test_set: str, inputs: Arrays) -> "Tuple[numpy.ndarray, numpy.ndarray]":
    """Read images and labels; BackendError where the model does not take such images."""
    stored = stored_arrays(test_set)
    if not {"input.0", "label"} <= set(stored):
        raise BackendError("bad_reference", "the test set lacks input.0 or label", "export the bundle again")
    images, labels = stored["input.0"], stored["label"]
    array = next(iter(inputs.values()))
    if (
        len(inputs) != 1
        or images.shape[1:] != array.shape[1:]
        or len(images) != len(labels)
        or not len(labels)
    ):
        message = "the test set holds {} and {} labels, the model wants {}".format(
            list(images.shape), len(labels), [list(a.shape) for a in inputs.values()]
        )
        raise BackendError("bad_reference", message, "export the bundle again")
    return images, labels


def _hits(outputs: "numpy.ndarray", labels: "numpy.ndarray", places: int) -> int:
    """How many rows have their label among the `places` largest; of equal outputs the first is the larger."""
    if places == 1:
        return int((outputs.argmax(axis=1) == labels).sum())
    import numpy

    largest = numpy.argsort(-outputs.astype("float64"), axis=1, kind="stable")[:, :places]
    return int((largest == labels[:, None]).any(axis=1).sum())
