"""TensorRT's profiler: milliseconds of each layer of an engine, reported once its inference has run."""

from typing import Any, Callable, List

from bench.runtime.backends.base import Event


def profile(trt: Any, context: Any, infer: Callable[[], None], runs: int) -> List[List[Event]]:
    """Return the events of `runs` inferences. The layers are the engine's, named after what it fused."""
    taken: List[Event] = []

    class Profiler(trt.IProfiler):  # type: ignore[misc]
        """Called by TensorRT for one layer after another; with a profiler, enqueueing waits for them."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            taken.append(Event(str(layer_name), "", float(ms) * 1e-3, None, None))

    profiler = Profiler()
    context.profiler = profiler
    found = []
    for _ in range(runs):
        del taken[:]
        infer()
        found.append(list(taken))
    return found
