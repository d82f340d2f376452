"""What every test may rely on: services are real, and a missing one is a skip for a user, a failure in CI."""

import contextlib
import fcntl
import gc
import glob
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 600  # s until what a test waits for is taken to hang: a busy machine is slow
T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: object = "nothing came of it") -> T:
    """The first true answer of `condition`; after PATIENCE the test fails, with `what` it waited for."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


def require(condition: object, reason: str) -> None:
    """Skip with `reason` unless `condition`; with ORBITBENCH_REQUIRE_SERVICES=1 (CI) fail instead."""
    if condition:
        return
    if os.environ.get("ORBITBENCH_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required here, and missing: {reason}")
    pytest.skip(reason)


@contextlib.contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Of several workers one makes what is kept in build/; the others wait, and find it."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    """Signals and examples that do not depend on who started the tests, nor on how busy the machine is."""
    # Workers share the cores: threads that wait for one another there cost more than they bring.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What a process has compiled, the next finds: the suite starts hundreds, and each worker rewrites all.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A shell ignores Ctrl-C for what it starts in the background, and children inherit that: tests that
    # interrupt would wait for ever under `make test &` or a CI of that kind.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # An example has no time limit of its own: on a busy machine it says nothing.
    hypothesis.settings.register_profile("busy", deadline=None)
    hypothesis.settings.load_profile("busy")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile, which takes seconds, nor later among modules and tests, which stay.

    Tests come to keep a million objects: to look through them as often as usual takes a twelfth of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


# Files that share what is slow to start: a Debian for arm64, a cluster of Ray, or boards with the job image.
# They are one worker's.
TOGETHER = {
    "tests/service/arm64": ("tests/service/test_arm64_image.py", "tests/service/test_emulation.py"),
    "tests/integration/ray": ("tests/integration/ray/",),
    "tests/service/boards": (
        "tests/service/test_board_hashes.py",
        "tests/service/test_board_tensorrt.py",
        "tests/service/test_devices_check_deep.py",
        "tests/service/test_fleet_run.py",
    ),
}
# These take minutes. Begun first, so that no worker is left with one of them at the end.
LONGEST = (
    "tests/service/test_fleet_faults.py",
    "tests/service/boards",
    "tests/service/test_images.py",
    "tests/integration/ray",
    "tests/service",
    "tests/integration",
)
WORKER_BYTES = 1_500_000_000  # with torch, and what its tests start
MOST_WORKERS = 8


def unit_of(nodeid: str) -> str:
    """What one worker takes whole: a file, or several that are TOGETHER."""
    file = nodeid.partition("::")[0]
    return next((unit for unit, files in TOGETHER.items() if file.startswith(files)), file)


def waits(unit: str) -> bool:
    """Whether a unit waits, for engines and boards, more than it computes."""
    return unit.startswith("tests/service")


def rank(item: pytest.Item) -> int:
    """When a test begins: the lower, the earlier."""
    unit = unit_of(item.nodeid)
    return next((n for n, name in enumerate(LONGEST) if unit.startswith(name)), len(LONGEST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the longest begin first."""
    if hasattr(config, "workerinput"):
        items.sort(key=rank)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers of `-n auto`: two a core, since the longest tests wait, where memory suffices."""
    memory = psutil.virtual_memory().available // WORKER_BYTES
    return max(2, min(2 * len(os.sched_getaffinity(0)), memory, MOST_WORKERS))


class ByUnit(LoadFileScheduling):
    """Side by side, a worker takes a whole unit, and the next one when it is nearly done."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # else: by the number of tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        """Of four workers one computes while the others mostly wait for boards: neither core idles."""
        others = [work for worker, work in self.assigned_work.items() if worker is not node]
        waiting = sum(any(waits(unit) and not all(work[unit].values()) for unit in work) for work in others)
        wanted = waiting < len(self.assigned_work) - len(self.assigned_work) // 4
        if unit := next((unit for unit in self.workqueue if waits(unit) == wanted), None):
            self.workqueue.move_to_end(unit, last=False)
        super()._assign_work_unit(node)

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


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    """The scheduler of `pytest -n N`."""
    return ByUnit(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that ran out of time takes the processes that it started along: none outlives the suite."""
    before = children()
    try:
        return (yield)
    except BaseException as error:
        if "from pytest-timeout" in str(error):
            end({one for one in psutil.Process().children() if one.pid not in before})
        raise


def children() -> set[int]:
    """Our child processes by number, from the kernel's own list: psutil looks at every process."""
    found: set[int] = set()
    for path in glob.glob("/proc/self/task/*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found.update(map(int, Path(path).read_text().split()))
    return found


def end(processes: set[psutil.Process]) -> None:
    """Kill `processes` and all that they started; return when they hold nothing any more."""
    doomed: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            doomed += [*process.children(recursive=True), process]
    for one in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    wait_for(lambda: all(map(gone, doomed)), f"killed, and still there: {doomed}")


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; that nobody has asked yet how is no matter.

    One of several threads is shown as ended before the others have closed its files.
    """
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True
    return ended or not process.is_running()  # its number may be another's by now
