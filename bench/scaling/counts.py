"""What is counted to compare sizes: true parameters, parameters as NeuralScale's authors count them, MACs.

The published alpha and beta were fitted against the authors' own formula, which misses a few weights of their
networks. To get their figures back to the last digit, their count is needed; to scale a network, the true
one.
"""

from collections.abc import Callable, Sequence

from bench.scaling.errors import ScalingError
from bench.zoo import Architecture, Dataset, mobilenetv2, preact_resnet18

COUNTS = ("true", "published")
Count = Callable[[Sequence[float]], float]


def counter(architecture: Architecture, dataset: Dataset, count: str = "true", of: str = "params") -> Count:
    """Return a function from widths (real ones too, below one too) to parameters or MACs.

    Raises ScalingError for a count that is unknown or that nobody has published.
    """
    if count not in COUNTS:
        raise ScalingError(f"unknown count {count!r}; known: {', '.join(COUNTS)}")

    def true(widths: Sequence[float]) -> float:
        return getattr(architecture.network(widths, dataset).cost(dataset.size)[0], of)  # type: ignore[no-any-return]

    if count == "true":
        return true
    if of != "params":
        raise ScalingError(f"the published count is of parameters, not of {of}; use --count true")
    missed = _missed(architecture, dataset)
    return lambda widths: true(widths) - missed(widths)


def _missed(architecture: Architecture, dataset: Dataset) -> Count:
    """The weights that the authors' formula leaves out."""
    if architecture.name == "vgg11":
        return lambda widths: 0
    if architecture.name == "mobilenetv2":
        return lambda widths: _mobilenetv2_missed(widths, mobilenetv2.strides(dataset))
    if architecture.name == "preact_resnet18":
        return lambda widths: _preact_missed(widths, preact_resnet18.strides(dataset))
    raise ScalingError(f"nobody has published a parameter count for {architecture.name}; use --count true")


def _mobilenetv2_missed(widths: Sequence[float], strides: Sequence[int]) -> float:
    """The 3x3 stem counted as 1x1, and the shortcuts of strided bottlenecks whose width stays."""
    missed = 24 * widths[0]
    for w_in, w_out, stride in zip(widths[:17], widths[1:18], strides, strict=True):
        if stride != 1 and w_in == w_out:
            missed += w_in * w_out + 3 * w_out
    return missed


def _preact_missed(widths: Sequence[float], strides: Sequence[int]) -> float:
    """The shortcuts of strided blocks whose stream keeps its width."""
    streams = widths[::2]
    blocks = zip(streams[:-1], streams[1:], strides, strict=True)
    return sum(w_in * w_out for w_in, w_out, stride in blocks if stride != 1 and w_in == w_out)
