"""Top-1 accuracy of the very artefact that was timed, on a labelled test set that the bundle may hold."""

from typing import Any, Dict

from bench.record.types import Task
from bench.runtime.backends.base import BackendError
from bench.runtime.measure.model_io import stored_arrays


def top1(numpy: Any, backend: Any, inputs: Dict[str, Any], task: Task, test_set: str) -> Dict[str, Any]:
    """{value (percent), n, source, hashes of model and test set}; run after the last rung, never timed.

    The test set is an npz with `input.0` (N, ...) and `label` (N,). It is fed through the bound input array,
    batch by batch; the last batch is filled up with its own first image, which is not counted again.
    """
    model = task["job"]["model"]
    described = model["test_set"]
    assert described  # its path is `test_set`
    stored = stored_arrays(numpy, test_set)
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
    hits, batch = 0, array.shape[0]
    for first in range(0, len(labels), batch):
        part = images[first : first + batch]
        array[...] = part[0]
        array[: len(part)] = part
        backend.bind(inputs)
        backend.infer()
        found = backend.outputs()[0].reshape(batch, -1)[: len(part)].argmax(axis=1)
        hits += int((found == labels[first : first + batch]).sum())
    return {
        "value": 100.0 * hits / len(labels),
        "unit": "percent",
        "source": "measured",
        "n": len(labels),
        "model_sha256": model["sha256"],
        "test_set_sha256": described["sha256"],
    }
