"""Reference inputs and outputs: what a model must answer on every device."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Allowed absolute difference for outputs up to 1; it grows with the largest output. Seen between torch and
# onnxruntime: 2e-6 of the largest output.
TOLERANCE = 1e-4


def random_input(shape: Sequence[int], dtype: str, seed: int) -> Array:
    """Return an input that depends on its arguments alone: N(0, 1), 0 to 127 for 8 bits, 0 and 1 for other
    integers.

    Small integers are valid indices into any table with at least two rows.
    """
    kind = np.dtype(dtype)
    generator = np.random.default_rng(seed)
    if kind.kind == "f":
        return generator.standard_normal(shape, dtype=np.float32).astype(kind)
    high = 128 if kind.itemsize == 1 and kind.kind != "b" else 2
    return generator.integers(0, high, size=shape).astype(kind)


def run_reference(model: bytes, inputs: Sequence[Array], times: int = 1) -> list[list[Array]]:
    """Return the outputs of an ONNX model for `inputs`: of `times` runs by onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    feed = dict(zip(names, inputs, strict=True))
    return [session.run(None, feed) for _ in range(times)]


def pack(inputs: Sequence[Array], outputs: Sequence[Array]) -> bytes:
    """Return an npz of `input.0`, ..., `output.0`, ...: the same bytes for the same arrays."""
    arrays = {f"input.{n}": array for n, array in enumerate(inputs)}
    return archive(arrays | {f"output.{n}": array for n, array in enumerate(outputs)})


def archive(arrays: Mapping[str, Array]) -> bytes:
    """Return an npz of named arrays: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:  # numpy.savez would store the time of writing
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()
