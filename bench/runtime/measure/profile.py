"""Where a model's time goes: inferences under the library's own profiler, in a process that times nothing.

What a profiler costs is in its figures: they are shares of an inference, not its latency. The host states
whether their sum is near the latency that was measured without it.
"""

from typing import Dict, List, Optional, Tuple

from bench.record import onnx_graph, types
from bench.record.checks import MAX_NAME
from bench.record.measured import OtherOperators, ProfiledOperator
from bench.record.onnx_precision import WORK
from bench.record.record_fields import MOST_LAYERS
from bench.runtime.backends import create_backend
from bench.runtime.backends.base import Event
from bench.runtime.machine.clock import now_ns
from bench.runtime.measure.model_io import make_inputs
from bench.runtime.measure.model_run import settings_of

SECONDS = 2.0  # of inferences, about
LEAST, MOST = 8, 200  # inferences
EVENTS = 20000  # that a profiler is asked for at most: onnxruntime writes 800 bytes each
WARM = 0.25  # share of the inferences that are left out, the first ones


def run(task: types.Task) -> types.OperatorProfile:
    """Return the profile as a record holds it: {source, runs, layers, others, error}. Raises BackendError."""
    backend = create_backend(task["job"], settings_of(task))
    backend.import_library()
    backend.expect_profile(task["folder"])
    with backend:
        tensors = backend.load(task["model"])
        backend.bind(make_inputs(tensors, task.get("reference"), task["seed"]))
        start = now_ns()
        backend.infer()
        took = (now_ns() - start) * 1e-9
        graph = onnx_graph.read(task["model"])
        found = backend.profile(_count(took, len(graph.nodes) if graph else LEAST))
    kept = found[int(len(found) * WARM) :]
    nodes = graph.nodes if graph else []
    operators = {node.name: node.operator for node in nodes if node.name}
    made_by = {output: node for node in nodes for output in node.outputs}
    return table(backend.name, [[named(event, operators, made_by) for event in events] for events in kept])


def named(event: Event, operators: Dict[str, str], made_by: Dict[str, onnx_graph.Node]) -> Event:
    """With the name and the operator that the model's own graph has for it, where the library gives others.

    onnxruntime calls a fused convolution after the tensor that it makes, or after its node, as its channels
    suit; TensorRT gives names alone: `/0/Conv + /1/Relu` is `Conv + Relu`.
    """
    if event.operator:
        node = None if event.name in operators else made_by.get(event.name)
        while node and node.operator not in WORK and node.inputs:
            node = made_by.get(node.inputs[0])
        return event._replace(name=node.name) if node and node.name else event
    parts = [operators[part] for part in event.name.split(" + ") if part in operators]
    return event._replace(operator=" + ".join(parts))


def _count(seconds: float, nodes: int) -> int:
    """How many inferences to profile, of a model of `nodes` operators that took `seconds`."""
    return max(LEAST, min(MOST, int(SECONDS / max(seconds, 1e-9)), EVENTS // max(1, nodes)))


def table(source: str, inferences: List[List[Event]]) -> types.OperatorProfile:
    """Return the profile of some inferences: a row an operator of the graph, in the order in which they ran.

    Beyond MOST_LAYERS the quickest are one sum, `others`.
    """
    rows: Dict[Tuple[str, str], List[List[Event]]] = {}
    for number, events in enumerate(inferences):
        for event in events:
            found = rows.setdefault((event.name, event.operator), [[] for _ in inferences])
            found[number].append(event)
    layers = [_layer(key, calls) for key, calls in rows.items()]
    kept = sorted(layers, key=lambda layer: -layer["seconds"])[:MOST_LAYERS]
    least = kept[-1]["seconds"] if len(layers) > MOST_LAYERS else 0.0
    shown = [layer for layer in layers if layer["seconds"] >= least][:MOST_LAYERS]
    left = len(layers) - len(shown)
    rest = sum(layer["seconds"] for layer in layers) - sum(layer["seconds"] for layer in shown)
    others: Optional[OtherOperators] = {"count": left, "seconds": max(0.0, rest)} if left else None
    return {"source": source, "runs": len(inferences), "layers": shown, "others": others, "error": None}


def _layer(key: Tuple[str, str], calls: List[List[Event]]) -> ProfiledOperator:
    once = max(calls, key=len)  # a loop may turn more often in one inference than in another
    return {
        "name": key[0][:MAX_NAME],
        "operator": key[1][:MAX_NAME],
        "seconds": middle([sum(event.seconds for event in events) for events in calls]),
        "calls": len(once),
        "macs": _total([event.macs for event in once]),
        "bytes": _total([event.bytes for event in once]),
    }


def _total(values: List[Optional[int]]) -> Optional[int]:
    return None if None in values else sum(value for value in values if value is not None)


def middle(values: List[float]) -> float:
    """Return the mean of the middle half: no disturbed inference moves it, nor do whole microseconds round
    it."""
    ordered, quarter = sorted(values), len(values) // 4
    inner = ordered[quarter : len(ordered) - quarter]
    return sum(inner) / len(inner)
