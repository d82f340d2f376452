"""What a network of any widths costs on a measured device: latency and memory from a profile, without export.

    model = CostModel(find("local"))
    model.predict(architecture("vgg11"), widths, dataset("cifar10")).latency.value

`graph` writes a network as operators, `lowering` as the kernels that a backend makes of them; `features` says
what a kernel's time depends on, `fitting` how much, from measurements of what `design` chose. `observed`
finds the kernels among what a profiler saw; `places` and `process` are Gaussian processes over what is left.
`profile` is the file that keeps the measurements.
"""

from bench.cost.errors import ExtrapolationError, ProfileError
from bench.cost.model import (
    UNKNOWN,
    CostModel,
    LayerCost,
    PredictedFigure,
    Prediction,
    SegmentCost,
    number_or_none,
)
from bench.cost.profile import Profile, find_profile

__all__ = [
    "UNKNOWN",
    "CostModel",
    "ExtrapolationError",
    "LayerCost",
    "PredictedFigure",
    "Prediction",
    "Profile",
    "ProfileError",
    "SegmentCost",
    "find_profile",
    "number_or_none",
]
