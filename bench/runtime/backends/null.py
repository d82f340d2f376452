"""The backend that computes nothing: what remains when it is timed is the harness itself."""

import os
from typing import TYPE_CHECKING, Dict, List

from bench.runtime.backends.base import Backend, BackendError, Tensor

if TYPE_CHECKING:
    import numpy


class NullBackend(Backend):
    """Zeros out for whatever goes in. Its records are never valid."""

    name = "null"
    fake = True

    def import_library(self) -> None:
        """Nothing to import but numpy, for the outputs."""
        import numpy

        self._numpy = numpy

    def __exit__(self, *exc: object) -> None:
        """Nothing to free."""

    def load(self, path: str) -> List[Tensor]:
        """Return the tensors that the job list names; a missing file is noticed."""
        if not os.path.exists(path):
            raise BackendError("model_missing", "{}: no such file".format(path), "copy the bundle again")
        shapes = self.settings.options.get("input_shapes") or {"input": [1]}
        return [Tensor(name, tuple(shape), "float32") for name, shape in shapes.items()]

    def bind(self, arrays: Dict[str, "numpy.ndarray"]) -> None:
        """One output of one zero."""
        self._outputs = [self._numpy.zeros(1, "float32")]

    def infer(self) -> None:
        """Do nothing."""

    def outputs(self) -> List["numpy.ndarray"]:
        """Return one array that holds a zero."""
        return self._outputs

    def versions(self) -> Dict[str, str]:
        """Return the version of numpy."""
        return {"numpy": str(self._numpy.__version__)}
