"""How widths are chosen for a target size: uniform, neuralscale; with or without alignment.

Importing this package imports neither torch nor a manifest reader.
"""

from bench.scaling.errors import NoFitError, RecordError, ScalingError, UnreachableError
from bench.scaling.widths import METHODS, Scaled, scale

__all__ = ["METHODS", "NoFitError", "RecordError", "Scaled", "ScalingError", "UnreachableError", "scale"]
