"""torch's own profiler over a graph of `torch_graph`, or over what torch.compile made of it."""

from typing import Any, Dict, List, Optional

from bench.runtime.backends.base import Event

RUN = "orbitbench inference"
REGIONS = ("Torch-Compiled Region", "## Call CompiledFxGraph")


def events(torch: Any, module: Any, inputs: List[Any], runs: int, compiled: bool) -> List[List[Event]]:
    """Return the events of each of `runs` inferences of `module` on `inputs`."""
    work: Dict[str, Optional[int]] = {}
    forward = module if compiled else module.marked(work)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.inference_mode(), torch.profiler.profile(activities=activities) as profiler:
        for _ in range(runs):
            with torch.profiler.record_function(RUN):
                forward(*inputs)
    spans = [event for event in profiler.events() if event.name == RUN]
    return [[_event(child, work) for child in _opened(span.cpu_children)] for span in spans]


def _opened(children: List[Any]) -> List[Any]:
    """With what torch.compile made in place of the regions that it wraps around it."""
    found: List[Any] = []
    for child in children:
        wraps = child.name.startswith(REGIONS) and child.cpu_children
        found += _opened(child.cpu_children) if wraps else [child]
    return found


def _event(child: Any, work: Dict[str, Optional[int]]) -> Event:
    """A marked node is called `NAME: OPERATOR`; anything else is one of torch's own operators."""
    name, _, operator = child.name.rpartition(": ") if child.name in work else (child.name, "", child.name)
    return Event(name, operator, child.time_range.elapsed_us() * 1e-6, work.get(child.name), None)
