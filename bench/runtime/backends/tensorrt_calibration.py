"""INT8 scales from sample inputs, for TensorRT 8 to 10; from 11 on the ONNX file carries them.

Samples come from options.calibration (an .npz relative to the bundle) with arrays `input.0`, ... stacked
along the first axis, else from the reference input: enough for latency and memory, not for accuracy.
"""

import os
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from bench.record import npz
from bench.runtime.backends.base import BackendError
from bench.runtime.backends.cuda import Gpu


def calibration_file(model_path: str, options: Dict[str, Any]) -> Tuple[str, bool]:
    """Return (path of the .npz, whether it is only the reference input)."""
    bundle = os.path.dirname(os.path.dirname(os.path.abspath(model_path)))
    if options.get("calibration"):
        return os.path.join(bundle, options["calibration"]), False
    stem = os.path.splitext(os.path.basename(model_path))[0]
    return os.path.join(bundle, "reference", stem + ".npz"), True


def calibration_batches(
    model_path: str, options: Dict[str, Any], shapes: Dict[str, Tuple[int, ...]]
) -> Tuple[Dict[str, np.ndarray], Optional[str]]:
    """Return (input name -> float32 array [samples, ...], a warning or None); samples fill whole batches."""
    path, only_reference = calibration_file(model_path, options)
    try:
        stored = npz.load(np, path)
        arrays = {
            name: np.ascontiguousarray(stored["input.%d" % index], np.float32)
            for index, name in enumerate(shapes)
        }
    except (OSError, KeyError, ValueError) as error:
        raise BackendError(
            "unsupported_precision",
            "int8 needs calibration samples, and %s cannot be used: %s" % (path, error),
            "name an .npz with arrays input.0, ... in options.calibration, or export with quantise nodes",
        ) from error
    for name, shape in shapes.items():
        if arrays[name].shape[1:] != shape[1:] or len(arrays[name]) < shape[0]:
            raise BackendError(
                "unsupported_precision",
                "calibration samples for %s are %s, the model takes %s" % (name, arrays[name].shape, shape),
                "stack samples of the model's input shape along the first axis",
            )
    warning = (
        "int8 calibrated on the reference input alone: accuracy means nothing" if only_reference else None
    )
    return arrays, warning


def make_calibrator(trt: Any, gpu: Gpu, arrays: Dict[str, np.ndarray], batch: int) -> Any:
    """Return an entropy calibrator that feeds `arrays` batch by batch from device buffers owned by `gpu`."""

    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]
        """TensorRT swallows exceptions raised here, so the first is kept in `error`."""

        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)
            self.error: Optional[str] = None
            self.next = 0
            self.buffers = {name: gpu.alloc(array[:batch].nbytes) for name, array in arrays.items()}

        def get_batch_size(self) -> int:
            return batch

        def get_batch(self, names: List[str]) -> Optional[List[int]]:
            try:
                return self._batch(names)
            except Exception as error:
                self.error = str(error)
                return None

        def _batch(self, names: List[str]) -> Optional[List[int]]:
            start, self.next = self.next, self.next + batch
            if any(self.next > len(array) for array in arrays.values()):
                return None
            for name in names:
                gpu.driver.memcpy_htod(self.buffers[name], arrays[name][start : self.next])
            return [int(self.buffers[name]) for name in names]

        def read_calibration_cache(self) -> None:
            return None  # the engine cache makes a second calibration rare, and a stale one is worse

        def write_calibration_cache(self, cache: object) -> None:
            return None

    return Calibrator()
