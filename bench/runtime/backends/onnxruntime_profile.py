"""The trace that onnxruntime's profiler writes: Chrome trace events as JSON, a `Node` event an operator run.

Each has `name` (the node's, with `_kernel_time`), `ts` and `dur` in whole microseconds, and in `args` its
`op_name`, `activation_size`, `parameter_size`, `output_size` (bytes, as text), and the types and shapes of
inputs and outputs. A `model_run` event spans an inference.
"""

import bisect
import json
import re
from typing import Dict, List, Optional

from bench.record.typed_dict import TypedDict
from bench.runtime.backends.base import Event

SUFFIX = "_kernel_time"
CONVOLUTIONS = {"Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
PRODUCTS = {"MatMul", "FusedMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul"}
PRODUCTS |= {"DynamicQuantizeMatMul"}
SIZES = ("activation_size", "parameter_size", "output_size")


class About(TypedDict, total=False):
    """What is read of a node's `args`."""

    op_name: str
    activation_size: str
    parameter_size: str
    output_size: str
    input_type_shape: List[Dict[str, List[int]]]
    output_type_shape: List[Dict[str, List[int]]]


class _TracedNode(TypedDict):
    name: str
    ts: int
    dur: int


class TracedNode(_TracedNode, total=False):
    """What is read of an operator run."""

    tid: int
    args: About


def read(path: str, runs: int) -> List[List[Event]]:
    """Return the events of the last `runs` inferences in the trace at `path`; fewer where it holds fewer."""
    with open(path) as stream:
        trace = json.load(stream)
    spans = [e for e in trace if e.get("name") == "model_run"][-runs:]
    starts = [span["ts"] for span in spans]
    found: List[List[TracedNode]] = [[] for _ in spans]
    for event in trace:
        if event.get("cat") == "Node" and event["name"].endswith(SUFFIX):
            number = bisect.bisect_right(starts, event["ts"]) - 1
            if number >= 0 and event["ts"] <= starts[number] + spans[number]["dur"]:
                found[number].append(event)
    return [_events(nodes) for nodes in found]


def _events(nodes: List[TracedNode]) -> List[Event]:
    """A loop or a branch runs nodes of its own, whose time is not its own."""
    own = {id(node): node["dur"] for node in nodes}
    open_nodes: Dict[Optional[int], List[TracedNode]] = {}
    ordered = sorted(nodes, key=lambda node: (node["ts"], -node["dur"]))
    for node in ordered:
        stack = open_nodes.setdefault(node.get("tid"), [])
        while stack and stack[-1]["ts"] + stack[-1]["dur"] <= node["ts"]:
            stack.pop()
        if stack and node["ts"] + node["dur"] <= stack[-1]["ts"] + stack[-1]["dur"]:
            own[id(stack[-1])] -= node["dur"]
        stack.append(node)
    return [_event(node, max(0, own[id(node)])) for node in ordered]


def _event(node: TracedNode, microseconds: int) -> Event:
    about: About = node.get("args") or {}
    operator = str(about.get("op_name", ""))
    name = re.sub(r"_nchwc$", "", node["name"][: -len(SUFFIX)])  # blocks of channels: the same node
    return Event(name, operator, microseconds * 1e-6, _macs(operator, about), _bytes(about))


def _bytes(about: About) -> Optional[int]:
    sizes = [str(about.get(key, "")) for key in SIZES]
    return sum(map(int, sizes)) if all(map(str.isdigit, sizes)) else None


def _macs(operator: str, about: About) -> Optional[int]:
    """Multiplications as executed, by the shapes of the event; None where they are not known."""
    given, made = _shapes(about.get("input_type_shape")), _shapes(about.get("output_type_shape"))
    place = CONVOLUTIONS.get(operator)
    if place is not None and len(given) > place and made:
        return _product(made[0]) * _product(given[place][1:])
    if operator in PRODUCTS and given and given[0] and made:
        return _product(made[0]) * given[0][-1]
    if operator in ("Gemm", "FusedGemm") and given and made and made[0] and made[0][0]:
        return _product(made[0]) * (_product(given[0]) // made[0][0])
    return None


def _shapes(types: object) -> List[List[int]]:
    """[{"float": [1, 24, 32, 32]}, ...] without the types."""
    listed = types if isinstance(types, list) else []
    shapes = [next(iter(each.values())) for each in listed if isinstance(each, dict) and len(each) == 1]
    return [shape for shape in shapes if isinstance(shape, list)]


def _product(sizes: List[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
