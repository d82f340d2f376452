"""torch's own profiler over a graph of `torch_graph`, or over what torch.compile made of it."""

from typing import Dict, List, Optional, Sequence

import torch
from torch.autograd.profiler_util import FunctionEvent

from bench.runtime.backends.base import Event
from bench.runtime.backends.torch_graph import Graph

RUN = "orbitbench inference"
REGIONS = ("Torch-Compiled Region", "## Call CompiledFxGraph")


def events(module: torch.nn.Module, inputs: Sequence[torch.Tensor], runs: int) -> List[List[Event]]:
    """Return the events of each of `runs` inferences on `inputs` of a Graph, or of a compiled one."""
    work: Dict[str, Optional[int]] = {}
    forward = module.marked(work) if isinstance(module, Graph) else module
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.inference_mode(), torch.profiler.profile(activities=activities) as profiler:
        for _ in range(runs):
            with torch.profiler.record_function(RUN):
                forward(*inputs)
    spans = [event for event in profiler.events() if event.name == RUN]
    return [[_event(child, work) for child in _opened(span.cpu_children)] for span in spans]


def _opened(children: Sequence[FunctionEvent]) -> List[FunctionEvent]:
    """With what torch.compile made in place of the regions that it wraps around it."""
    found: List[FunctionEvent] = []
    for child in children:
        wraps = child.name.startswith(REGIONS) and child.cpu_children
        found += _opened(child.cpu_children) if wraps else [child]
    return found


def _event(child: FunctionEvent, work: Dict[str, Optional[int]]) -> Event:
    """A marked node is called `NAME: OPERATOR`; anything else is one of torch's own operators."""
    name, _, operator = child.name.rpartition(": ") if child.name in work else (child.name, "", child.name)
    microseconds = child.time_range.elapsed_us()  # type: ignore[no-untyped-call]
    return Event(name, operator, microseconds * 1e-6, work.get(child.name), None)
