"""What a kernel's time may depend on: amounts of work, each of which costs nothing or something.

`cycles` counts the inner loops of onnxruntime's CPU kernels (MLAS), the rest is calls and bytes. The inner
loops keep some outputs in registers and add a product to each in every step: 3 pixels of up to 4 blocks of
channels in a blocked convolution, 6 channels of 2 vectors of pixels in a matrix product. A step takes as long
as its multiply-adds (2 a cycle) or as one of them (LATENCY), whichever is longer, so that the edges of an
image, single left-over blocks and left-over rows cost far more than their share. Blocked kernels skip the
padding around an image, matrix products multiply it: at 2x2 pixels, a 3x3 convolution has 4/9 of its
multiplications.

Amounts are in millions, so that coefficients come out in similar sizes. A sum of amounts with coefficients
that are not negative is monotone but for the steps that the layout makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bench.cost.lowering import BLOCKED, Kernel

FILTERS, PIXELS = 4, 3  # blocks of output channels and pixels that a blocked convolution keeps in registers
ROWS, VECTOR = 6, 8  # rows of a matrix product in registers; floats a vector (two of them wide)
LATENCY = 4.0  # cycles until a sum can be added to again
CACHE = 256e3  # bytes of weights that stay near the core
MILLION = 1e-6


def group(kernel: Kernel) -> str:
    """Return the group of a kernel, which shares its coefficients."""
    if kernel.kind in ("conv", "pointwise", "depthwise"):
        return f"{kernel.kind}{kernel.kernel}{'s' if kernel.stride > 1 else ''}.{kernel.layout}"
    return f"{kernel.kind}.{kernel.layout}"


def by_group(kernels: Sequence[Kernel]) -> dict[str, list[int]]:
    """Return the indices of the kernels of each group."""
    found: dict[str, list[int]] = {}
    for index, kernel in enumerate(kernels):
        found.setdefault(group(kernel), []).append(index)
    return found


COLD = ("cold_call", "cold_weights", "cold_moved")
# Megabytes of weights, about the sizes of caches: what is beyond is read from farther away.
KNOTS = (0.5, 2.0, 8.0, 24.0)
FAR = tuple(f"far{knot:g}" for knot in KNOTS)
CONVOLUTION = ("call", "cycles", "few", "rows", "stored", "near", "far", "moved")
PRODUCT = ("call", "cycles", "copied", "copied", "near", "far", "moved")


def classes(kernel: Kernel) -> tuple[str, ...]:
    """Return the kind of each of a kernel's amounts: one kind costs about the same in every group."""
    if kernel.kind in ("conv", "pointwise", "direct"):
        return CONVOLUTION if kernel.layout == BLOCKED else PRODUCT
    if kernel.kind == "depthwise":
        blocked = kernel.layout == BLOCKED
        return (
            ("call", "slow", "slow", "lines", "moved") if blocked else ("call", "slow", "channels", "moved")
        )
    return ("call", "near", "far") if kernel.kind == "linear" else ("call", "moved", "channels")


@lru_cache(maxsize=1 << 18)
def amounts(kernel: Kernel, block: int) -> tuple[float, ...]:
    """Return the amounts of work of one kernel, in the order of its group's coefficients.

    The first is the call.
    """
    if kernel.kind in ("conv", "pointwise", "direct"):
        return _blocked(kernel, block) if kernel.layout == BLOCKED else _product(kernel)
    pixels = kernel.size**2
    moved = _moved(kernel)
    if kernel.kind == "depthwise":
        if kernel.layout == BLOCKED:
            full, single = _columns(kernel)
            rows = _rows(kernel) * kernel.c_out / VECTOR * MILLION
            return (1.0, rows * full * kernel.kernel, rows * single, kernel.c_out * kernel.size * 1e-3, moved)
        vectors = -(-pixels // (2 * VECTOR)) * 2 * VECTOR
        work = kernel.kernel**2 * kernel.c_out * vectors / (2 * VECTOR) * MILLION
        return (1.0, work, kernel.c_out * 1e-3, moved)
    if kernel.kind == "linear":
        weights = 4 * kernel.c_in * kernel.c_out * MILLION
        return (1.0, weights, max(weights - CACHE * MILLION, 0))
    return (1.0, moved, kernel.c_out * 1e-3)


def _moved(kernel: Kernel) -> float:
    """Megabytes of tensors read and written."""
    inner, outer = kernel.c_in * kernel.size_in**2, kernel.c_out * kernel.size**2
    return 4 * (inner + outer * (1 + kernel.sums)) * MILLION


def _weights(kernel: Kernel) -> tuple[float, float]:
    """Megabytes of weights, and of those beyond what stays near the core."""
    found = 4 * kernel.kernel**2 * kernel.c_in * kernel.c_out * MILLION
    return found, max(found - CACHE * MILLION, 0)


def _rows(kernel: Kernel) -> int:
    """Rows of the window that lie within the image, over all rows of the output."""
    reach = kernel.kernel // 2
    return sum(
        min(row * kernel.stride + reach, kernel.size_in - 1) - max(row * kernel.stride - reach, 0) + 1
        for row in range(kernel.size)
    )


def _columns(kernel: Kernel) -> tuple[int, int]:
    """Pixels of a row whose whole window lies within the image; columns of the window of all others."""
    reach, full, single = kernel.kernel // 2, 0, 0
    for column in range(kernel.size):
        first, last = column * kernel.stride - reach, column * kernel.stride + reach
        if first >= 0 and last < kernel.size_in:
            full += 1
        else:
            single += min(last, kernel.size_in - 1) - max(first, 0) + 1
    return full, single


def _step(filters: int, pixels: int) -> float:
    """Cycles of a step over so many outputs in registers."""
    return max(LATENCY, filters * pixels / 2)


def _blocked(kernel: Kernel, block: int) -> tuple[float, ...]:
    blocks = kernel.c_out // block
    whole, left = divmod(blocks, FILTERS)
    passes = [FILTERS] * whole + [left] * (left > 0)
    if kernel.kernel == 1 and kernel.stride == 1:
        lines, (full, single) = 1, (kernel.size**2, 0)
    else:
        lines, (full, single) = _rows(kernel), _columns(kernel)
    threes, ones = divmod(full, PIXELS)
    single += ones * kernel.kernel
    many = sum(_step(f, PIXELS) for f in passes) * threes * kernel.kernel
    few = len(passes) * LATENCY * single
    steps = lines * kernel.c_in * MILLION
    calls = len(passes) * -(-kernel.c_in // block) * lines * 1e-3
    stored = blocks * block * -(-kernel.c_in // block) * kernel.size**2 * MILLION
    return (1.0, steps * many, steps * few, calls, stored, *_weights(kernel), _moved(kernel))


def _product(kernel: Kernel) -> tuple[float, ...]:
    depth, pixels = kernel.kernel**2 * kernel.c_in, kernel.size**2
    wide, rest = divmod(pixels, 2 * VECTOR)
    whole, left = divmod(kernel.c_out, ROWS)
    rows = [ROWS] * whole + [left] * (left > 0)
    cycles = sum(_step(r, 2) * wide + (_step(r, 2 if rest > VECTOR else 1) if rest else 0) for r in rows)
    copied = 0.0 if kernel.kernel == kernel.stride == 1 else 4 * depth * pixels * MILLION
    packed = 4 * depth * (wide + (rest > 0)) * 2 * VECTOR * MILLION
    weights, far = _weights(kernel)
    return (1.0, cycles * depth * MILLION, copied, packed, weights, far, _moved(kernel))


@lru_cache(maxsize=1 << 18)
def cold(kernel: Kernel) -> tuple[float, ...]:
    """Return what a kernel finds farther away within a network than alone: code, weights, tensors (COLD)."""
    weights = _weights(kernel)[0] if kernel.kind in ("conv", "pointwise", "direct", "linear") else 0.0
    return (1.0, weights, _moved(kernel))


def far(megabytes: float) -> tuple[float, ...]:
    """Return what reading all of a network's weights costs an inference (FAR): megabytes beyond KNOTS."""
    return tuple(max(megabytes - knot, 0.0) for knot in KNOTS)
