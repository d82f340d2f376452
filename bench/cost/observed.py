"""Times of kernels in their place within a network, from the runtime's own profiler.

A profiler names what it ran in its own words and order. A kernel is found by what it multiplies and moves;
of reorders, whose true channels a kernel does not keep, the larger is the larger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from bench.cost.lowering import BLOCKED, Kernel

CONVOLUTION = "convolution"
OPERATORS = {
    "Conv": CONVOLUTION, "FusedConv": CONVOLUTION, "ReorderInput": "to_blocks", "ReorderOutput": "to_plain",
    "MaxPool": "pool", "GlobalAveragePool": "mean", "Gemm": "linear", "Add": "add", "Relu": "activation",
    "BatchNormalization": "norm", "Clip": "activation",
}  # fmt: skip
MULTIPLIES = (CONVOLUTION, "linear")
FREE = ("Flatten", "Reshape")  # move nothing


class ObservedLayer(NamedTuple):
    """A row of a record's profile: what ran, multiply-accumulates and bytes as far as known, time (s)."""

    operator: str
    macs: int | None
    bytes: int | None
    seconds: float


def match(kernels: Sequence[Kernel], layers: Sequence[ObservedLayer]) -> list[float] | None:
    """Return the time of each kernel (s, what the profiler itself costs included).

    None where they are not these.
    """
    wanted: dict[str, list[tuple[tuple[int, int], int]]] = defaultdict(list)
    for index, kernel in enumerate(kernels):
        wanted[operator_of(kernel)].append((work_of(kernel), index))
    ran: dict[str, list[tuple[tuple[int, int], float]]] = defaultdict(list)
    for layer in layers:
        if layer.operator not in FREE:
            known = OPERATORS.get(layer.operator, layer.operator)
            macs = (layer.macs or 0) if known in MULTIPLIES else 0
            ran[known].append(((macs, layer.bytes or 0), layer.seconds))
    if {name: len(each) for name, each in wanted.items()} != {name: len(each) for name, each in ran.items()}:
        return None
    found = [0.0] * len(kernels)
    for name, each in wanted.items():
        for (work, index), ((macs, _), seconds) in zip(sorted(each), sorted(ran[name]), strict=True):
            if work[0] != macs:
                return None
            found[index] = round(seconds, 8)
    return found


def operator_of(kernel: Kernel) -> str:
    """Return the kind of operator that runs a kernel: a convolution, or the kernel's own kind."""
    if kernel.kind in ("conv", "pointwise", "direct", "depthwise"):
        return CONVOLUTION
    return CONVOLUTION if kernel.kind == "norm" and kernel.layout == BLOCKED else kernel.kind


def work_of(kernel: Kernel) -> tuple[int, int]:
    """Return multiply-accumulates, and bytes read and written, as onnxruntime counts them."""
    outputs = kernel.c_out * kernel.size**2
    inputs = kernel.c_in * kernel.size_in**2
    if operator_of(kernel) not in MULTIPLIES:
        return 0, 4 * (inputs + outputs)
    depth = 1 if kernel.kind in ("depthwise", "norm") else kernel.c_in
    window = 1 if kernel.kind == "norm" else kernel.kernel**2
    weights = (depth * window + 1) * kernel.c_out
    return outputs * depth * window, 4 * (inputs + outputs * (1 + kernel.sums) + weights)
