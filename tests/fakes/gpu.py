"""A pretend GPU with an asynchronous queue: work is really done later, by a thread, with numpy.

It is strict where hardware is merciless or silent: an asynchronous copy needs page-locked memory, a
destination is poison until its copy has run, a freed buffer is gone, every call needs a current context, and
whatever is not given back is counted. `violations` holds what a program did wrong, also where nothing could
be raised.
"""

import collections
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

POISON = 0xCD  # as float32: -4.3e8, as float16: -23.2; never a plausible answer


class CudaError(Exception):
    """What pycuda calls Error."""


class CudaMemoryError(CudaError):
    pass


class CudaLogicError(CudaError):
    pass


class Gpu:
    """One device: memory by address, contexts by thread, live objects by kind."""

    def __init__(
        self, memory: int = 1 << 26, delay: float = 0.002, name: str = "Fake Tegra", fast: str = "fp16 int8"
    ):
        self.memory, self.delay, self.name, self.fast = memory, delay, name, fast.split()
        self.count, self.capability, self.broken = 1, (6, 2), False
        self.dla_cores = 0
        self.streams: dict[int, Any] = {}
        self.buffers: dict[int, Any] = {}
        self.live: collections.Counter[str] = collections.Counter()
        self.violations: list[str] = []
        self.running = 0  # pieces of work enqueued and not done
        self.executions = 0
        self.primary_references = 0
        self.builds = 0
        self.lock = threading.RLock()
        self._stacks = threading.local()
        self._next = 0x7F00_0000

    # -- contexts ---------------------------------------------------------------------------------------
    @property
    def stack(self) -> list[Any]:
        if not hasattr(self._stacks, "list"):
            self._stacks.list = []
        return self._stacks.list

    def need_context(self, what: str) -> None:
        if not self.stack:
            self.violations.append(f"{what} without a current context")
            raise CudaLogicError(f"{what} failed: invalid device context")

    # -- memory -----------------------------------------------------------------------------------------
    @property
    def used(self) -> int:
        return sum(buffer.nbytes for buffer in self.buffers.values())

    def allocate(self, nbytes: int) -> int:
        with self.lock:
            if nbytes <= 0:
                raise CudaLogicError("cuMemAlloc failed: invalid argument")
            if self.used + nbytes > self.memory:
                raise CudaMemoryError("cuMemAlloc failed: out of memory")
            address, self._next = self._next, self._next + -(-nbytes // 256) * 256
            self.buffers[address] = np.full(nbytes, POISON, np.uint8)
            return address

    def release(self, address: int) -> None:
        with self.lock:
            if self.buffers.pop(address, None) is None:
                self.violations.append(f"buffer {address:#x} freed twice")

    def buffer(self, address: int, nbytes: int, error: str = "illegal memory access") -> Any:
        """The bytes at `address`; a freed or too small buffer is a violation. A copy has another `error`."""
        with self.lock:
            found = self.buffers.get(address)
        if found is None:
            self.violations.append(f"use of {address:#x}, which is freed or never was")
            raise CudaError(error)
        if found.nbytes < nbytes:
            self.violations.append(f"{nbytes} bytes at {address:#x}, which has {found.nbytes}")
            raise CudaError(error)
        return found[:nbytes]

    # -- accounts ---------------------------------------------------------------------------------------
    def born(self, kind: str) -> None:
        with self.lock:
            self.live[kind] += 1

    def died(self, kind: str, needs_context: bool = True) -> None:
        with self.lock:
            self.live[kind] -= 1
        if needs_context and not self.stack:
            self.violations.append(f"{kind} destroyed without a current context")

    def left_over(self) -> dict[str, int]:
        """Everything that was not given back: empty when all is well."""
        found = {kind: count for kind, count in self.live.items() if count}
        found.update({"buffers": len(self.buffers)} if self.buffers else {})
        found.update({"contexts on the stack": len(self.stack)} if self.stack else {})
        found.update(
            {"references to the primary context": self.primary_references} if self.primary_references else {}
        )
        found.update({"work still running": self.running} if self.running else {})
        return found

    def assert_clean(self) -> None:
        assert not self.violations, self.violations
        assert not self.left_over(), self.left_over()


class Queue:
    """A stream: pieces of work done in order by a thread of its own. Errors stick, as on a real device."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu, self.error = gpu, None
        self.work: queue.Queue[Any] = queue.Queue()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def put(self, piece: Callable[[], None]) -> None:
        with self.gpu.lock:
            self.gpu.running += 1
        self.work.put(piece)

    def _run(self) -> None:
        for piece in iter(self.work.get, None):
            try:
                if self.error is None:
                    piece()
            except Exception as error:
                self.error = error.with_traceback(None)  # its frames would keep the engine
            with self.gpu.lock:
                self.gpu.running -= 1
            self.work.task_done()

    def wait(self) -> None:
        self.work.join()
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        self.work.put(None)


def busy(seconds: float) -> None:
    """The device computes; the host does not."""
    time.sleep(seconds)
