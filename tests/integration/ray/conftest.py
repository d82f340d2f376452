"""One Ray for all tests that need it: starting it takes seconds."""

import contextlib
from collections.abc import Iterator

import psutil
import pytest

from bench.work import ray_session


class RayHere:
    """Ray on this machine, started when a test first asks, until a test wants a Ray of its own."""

    def __init__(self) -> None:
        self._running = contextlib.ExitStack()
        self.running = False
        self.older: set[int] = set()  # this process's children that are not Ray's

    def start(self) -> None:
        """Start it where none runs."""
        if not self.running:
            self.older = {process.pid for process in psutil.Process().children(recursive=True)}
            options = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 80_000_000}
            self._running.enter_context(ray_session.start(**options))
            self.running = True

    def stop(self) -> None:
        """End it where one runs."""
        self.running = False
        self._running.close()


@pytest.fixture(scope="session")
def ray_sessions() -> Iterator[RayHere]:
    pytest.importorskip("ray", reason="Ray (pip install 'orbitbench[train]')")
    here = RayHere()
    yield here
    here.stop()


@pytest.fixture
def ray_here(ray_sessions: RayHere) -> RayHere:
    """Ray runs on this machine, started where the package is: ask for it before a test changes the folder."""
    ray_sessions.start()
    return ray_sessions
