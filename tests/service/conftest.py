"""Real services for tests: engines and boards in namespaces, started here and removed whatever happens."""

import concurrent.futures
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrate.engine.connection import Engine
from tests.conftest import children, end, require
from tests.service import qboard, rootfs
from tests.service.board import Board, sweep
from tests.service.fleet import Fleet, missing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         # A GPU played by the CPU takes nearly half of the page's tests; it draws without one, too.
         "--disable-gpu", "--disable-software-rasterizer")  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    require(CHROMIUM, "no Chromium here: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


FAILED = pytest.StashKey[bool]()
BEFORE = pytest.StashKey[set[int]]()  # our child processes, before a test had any
FLEET = pytest.StashKey[Fleet]()  # the session's, while it is up


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failure for the fixtures that are taken down next."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def no_failure_fails_the_next(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test has left at work here ends, and its boards are as before: others use them."""
    request.node.stash[BEFORE] = children()
    yield
    if request.node.stash.get(FAILED, False):
        mend(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function) -> Iterator[None]:
    """A failure while a test is taken down comes too late for the fixture."""
    try:
        return (yield)
    except (Exception, pytest.fail.Exception):
        if BEFORE in item.stash:
            mend(item)
        raise


def mend(item: pytest.Function) -> None:
    """End what `item` has started, and mend the session's boards where it used those: files have own ones."""
    end({one for one in psutil.Process().children() if one.pid not in item.stash[BEFORE]})
    fleet = item.session.stash.get(FLEET, None)
    if fleet and item.funcargs.get("fleet") is fleet:
        fleet.mend()


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skip without root or packages; clear away what a crashed run left."""
    reason = missing()
    require(not reason, reason)
    sweep()


@pytest.fixture(scope="session")
def engine(namespaces: None) -> Iterator[Board]:
    """A private engine without sshd: `docker_host` for clients, `docker(...)` for the command, own network.

    It reaches the internet (as this machine does) and this machine at `host_ip`, and holds no image.
    """
    with Board("engine", uplink=True) as board:
        yield board


@pytest.fixture(scope="session")
def load_image() -> Callable[[Board, bytes], None]:
    """Load an image (rootfs.image_of) into a board's engine, past ssh."""

    return Board.load


@pytest.fixture(scope="session")
def fleet(
    namespaces: None,
    tmp_path_factory: pytest.TempPathFactory,
    load_image: Callable[[Board, bytes], None],
    request: pytest.FixtureRequest,
) -> Iterator[Fleet]:
    """Two boards, `board1` and `board2`, with stock sshd limits and orbitbench/busybox:test loaded."""
    with Fleet(Path(tmp_path_factory.mktemp("fleet")), "board1", "board2") as fleet:
        for board in fleet.boards.values():
            load_image(board, rootfs.busybox())
        request.session.stash[FLEET] = fleet
        yield fleet
        del request.session.stash[FLEET]


@pytest.fixture(scope="module")
def engine1(fleet: Fleet) -> Iterator[Engine]:
    """One connection to board1 for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))
        with Engine("board1") as engine:
            yield engine


@pytest.fixture(scope="session")
def job_image(namespaces: None) -> bytes:
    """orbitbench/job:test (rootfs.JOB_IMAGE), bench.runtime with onnxruntime, to `load_image` on a board."""
    reason = rootfs.cannot_build_jobs()
    require(not reason, reason)
    with rootfs.or_skip():
        return rootfs.jobs()


@pytest.fixture(scope="session")
def emulated_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[qboard.QBoard]:
    """A whole arm64 machine, `pi4-emulated` in its `ssh_config`, its clock a day ahead: tests are slow."""
    reason = qboard.missing()
    require(not reason, reason)
    with qboard.QBoard(tmp_path_factory.mktemp("qboard") / "board", clock_ahead=86_400) as board:
        yield board


@pytest.fixture(scope="session")
def job_fleet(fleet: Fleet, job_image: bytes, load_image: Callable[[Board, bytes], None]) -> Fleet:
    """The boards of `fleet`, with the job image loaded."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda board: board.load(job_image), fleet.boards.values()))
    return fleet
