"""What every test may rely on: services are real, and a missing one is a skip for a user, a failure in CI."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent


def require(condition: object, reason: str) -> None:
    """Skip with `reason` unless `condition`; with ORBITBENCH_REQUIRE_SERVICES=1 (CI) fail instead."""
    if condition:
        return
    if os.environ.get("ORBITBENCH_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required here, and missing: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's top folder."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A state folder and device locks of the tests' own: a run of the user, or of other tests, is no
    concern of theirs."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["ORBITBENCH_LOCK_DIR"] = str(tmp_path_factory.mktemp("locks"))


def pytest_configure(config: pytest.Config) -> None:
    """The fleet's namespaces outlive a crash; whoever starts next sweeps them (tests/service)."""
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    # A shell ignores Ctrl-C for what it starts in the background, and children inherit that: tests that
    # interrupt would wait for ever under `make test &` or a CI of that kind.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # An example has no time limit of its own: on a busy machine it says nothing.
    hypothesis.settings.register_profile("busy", deadline=None)
    hypothesis.settings.load_profile("busy")


# Rooms that one worker takes whole, begun first: they are the longest, and services mostly wait.
WHOLE = ("tests/service", "tests/integration")


def room(nodeid: str) -> str:
    """The first two folders of a test."""
    return "/".join(nodeid.split("/")[:2])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the longest begin first, so that no worker is left with them at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [*WHOLE, room(item.nodeid)].index(room(item.nodeid)))


class ByRoom(LoadFileScheduling):
    """Side by side, a worker takes a whole file; tests of services, or of Ray, are one worker's: they share
    boards, engines and a cluster, and two at a time would starve each other."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # else: by the number of tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return room(nodeid) if room(nodeid) in WHOLE else super()._split_scope(nodeid)

    def remove_node(self, node: Any) -> str | None:
        """A test that ended its worker has failed, and is not run again: it would end the next one too."""
        work = self.assigned_work.pop(node)
        left = [(unit, test) for unit in work.values() for test, done in unit.items() if not done]
        if not left:
            return None
        unit, culprit = left[0]
        unit[culprit] = True
        self.workqueue.update({name: unit for name, unit in work.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return culprit


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByRoom:
    """The scheduler of `pytest -n N`."""
    return ByRoom(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that ran out of time takes the processes that it started along: none outlives the suite."""
    before = set(psutil.Process().children())
    try:
        return (yield)
    except BaseException as error:
        if "from pytest-timeout" in str(error):
            end(set(psutil.Process().children()) - before)
        raise


def end(processes: set[psutil.Process]) -> None:
    """Kill `processes` and all that they started."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
