"""What a kernel's time may depend on: amounts of work, each of which costs nothing or something.

Amounts are in millions (multiply-accumulates, bytes) so that coefficients come out in similar sizes. A sum of
amounts with coefficients that are not negative is monotone: wider, larger, is never predicted faster, but for
the steps that the layout makes.
"""

from __future__ import annotations

from functools import lru_cache

from bench.cost.lowering import BLOCKED, Kernel

FILTERS = 4  # output blocks that onnxruntime's blocked kernels compute in one pass over the input
ROWS, COLUMNS = 6, 16  # of a tile of its matrix product (x86)
CACHE = 256e3  # bytes of weights that stay near the core
MILLION = 1e-6


def group(kernel: Kernel) -> str:
    """Kernels of one group share coefficients."""
    if kernel.kind in ("conv", "pointwise", "depthwise"):
        return f"{kernel.kind}{kernel.kernel}{'s' if kernel.stride > 1 else ''}.{kernel.layout}"
    return f"{kernel.kind}.{kernel.layout}"


@lru_cache(maxsize=1 << 18)
def amounts(kernel: Kernel, block: int) -> tuple[float, ...]:
    """The amounts of work of one kernel, in the order of its group's coefficients; the first is the call."""
    pixels, pixels_in = kernel.size**2, kernel.size_in**2
    window = kernel.kernel**2
    moved = 4 * (kernel.c_in * pixels_in + kernel.c_out * pixels * (1 + kernel.sums)) * MILLION
    if kernel.kind in ("conv", "pointwise", "direct") and kernel.layout == BLOCKED:
        blocks = kernel.c_out // block
        passes = -(-blocks // FILTERS)
        macs = window * kernel.c_in * kernel.c_out * pixels * MILLION
        loads = window * kernel.c_in * passes * block * pixels * MILLION
        calls = passes * max(kernel.c_in // block, 1) * kernel.size * kernel.kernel * 1e-3
        edges = window * kernel.c_in * kernel.c_out * kernel.size * MILLION
        weights = 4 * window * kernel.c_in * kernel.c_out * MILLION
        far = max(weights - CACHE * MILLION, 0)
        return (1.0, macs, loads, calls, edges, weights, far, moved)
    if kernel.kind in ("conv", "pointwise"):
        rows, columns = -(-kernel.c_out // ROWS) * ROWS, -(-pixels // COLUMNS) * COLUMNS
        depth = window * kernel.c_in
        macs = rows * columns * depth * MILLION
        copied = 0.0 if window == kernel.stride == 1 else 4 * depth * pixels * MILLION
        packed = 4 * depth * columns * MILLION
        weights = 4 * depth * kernel.c_out * MILLION
        far = max(weights - CACHE * MILLION, 0)
        return (1.0, macs, copied, packed, weights, far, moved)
    if kernel.kind == "depthwise":
        macs = window * kernel.c_out * pixels * MILLION
        edges = window * kernel.c_out * kernel.size * MILLION
        return (1.0, macs, edges, kernel.c_out * 1e-3, moved)
    if kernel.kind == "linear":
        weights = 4 * kernel.c_in * kernel.c_out * MILLION
        return (1.0, weights, max(weights - CACHE * MILLION, 0))
    return (1.0, moved, kernel.c_out * 1e-3)
