"""How far an output may be from the reference, by the arithmetic that computed it (docs/measuring.md).

A dot product of K terms in an arithmetic of unit roundoff u is off by about u sqrt(K), relative to its size:
rounding errors are as often up as down (Higham and Mary 2019, "A new approach to probabilistic rounding
error analysis", SIAM J. Sci. Comput. 41). Errors of layers are independent, so their squares add up; rounding
what a layer reads and writes adds one more term each.
"""

import math
from typing import Optional

from bench.record import onnx_graph, onnx_precision

HALF = 2.0**-11  # unit roundoff of fp16; TF32 has as many bits
# arithmetic -> (unit roundoff of the operands, whether sums are rounded to it too)
ROUNDING = {"fp16": (HALF, True), "tf32": (HALF, False), "bf16": (2.0**-8, False)}
FACTOR = 2.0  # seen: sums in fp16, 0.65 at most; sums in fp32 0.9
MOST = 0.5  # of the largest output: a network unrelated to the reference is off by about 1
UNKNOWN = 20000  # sum over the layers of a file of which not all can be read: about VGG-11's
JUDGED_BY_SENSE = ("int8", "mixed")  # no bound follows from the arithmetic


def relative(arithmetic: str, path: str) -> Optional[float]:
    """Return the allowed difference as a share of the largest reference output; None where none follows
    (int8).

    0.0 for fp32 and fp64: there the tolerance of the bundle holds. path: the ONNX file.
    """
    if arithmetic in JUDGED_BY_SENSE:
        return None
    roundoff, sums = ROUNDING.get(arithmetic, (0.0, False))
    if not roundoff:
        return 0.0
    graph = onnx_graph.read(path)
    layers = onnx_precision.layers(graph) if graph else []
    known = graph is not None and not graph.functions
    terms = sum(1 + (layer.products if sums else 1) for layer in layers) if known else UNKNOWN
    return min(MOST, FACTOR * roundoff * math.sqrt(max(1, terms)))
