"""A measuring process whose inferences take 3 % longer: what the runtime must be able to find.

`python -m tests.performance.slow_child [child|turns]`: a process of a run, or one of `bench versus`.
"""

import sys
from typing import Any

from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
from bench.runtime.duel import worker as turns_worker
from bench.runtime.machine.clock import now_ns
from bench.runtime.supervise import worker

SLOWDOWN = 1.03
bind = OnnxRuntimeBackend.bind


def slow_bind(self: Any, arrays: dict[str, Any]) -> None:
    bind(self, arrays)
    infer, clock = self.infer, now_ns

    def slow() -> None:
        start = clock()
        infer()
        until = start + SLOWDOWN * (clock() - start)
        while clock() < until:
            pass

    self.infer = slow


if __name__ == "__main__":
    OnnxRuntimeBackend.bind = slow_bind  # type: ignore[method-assign]
    raise SystemExit((turns_worker if sys.argv[1:] == ["turns"] else worker).main())
