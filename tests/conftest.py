"""What every test may rely on: services are real, and a missing one is a skip for a user, a failure in CI."""

import os
import signal
from pathlib import Path

import pytest

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
