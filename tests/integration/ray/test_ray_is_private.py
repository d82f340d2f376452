"""Ray on this machine serves its own driver only: strangers on the network or the machine run nothing."""

import json
import os
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from bench.work import ray_session
from bench.work.ray_session import ClusterError
from tests.conftest import PATIENCE
from tests.matrix import Part, part_of

if TYPE_CHECKING:
    from tests.integration.ray.conftest import RayHere

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray (pip install 'orbitbench[train]')"),
]

# What a neighbour would do. Ray takes 127.0.0.1 for the machine's own address unless it is asked not to.
DRIVER = """
import sys
from pathlib import Path
import ray
ray.init(sys.argv[1], log_to_driver=False)
ray.get(ray.remote(lambda mark: Path(mark).write_text("ran")).remote(sys.argv[2]), timeout=500)
"""
STRANGERS = {
    "without a token": {},
    "with authentication switched off": {"RAY_AUTH_MODE": "disabled"},
    "with a token of its own": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
}


class Session(NamedTuple):
    address: str
    token: Path
    listeners: tuple[str, ...]


matrix = part_of("hostile", "ray")


@pytest.fixture
def session(ray_here: "RayHere") -> Session:
    """The session, after a task of its own, so that all of its processes are there."""
    import ray

    assert ray.get(ray.remote(lambda: 6 * 7).remote()) == 42
    children = psutil.Process().children(recursive=True)
    ours = [process for process in children if process.pid not in ray_here.older]
    listeners = tuple(
        connection.laddr.ip
        for process in [psutil.Process(), *ours]
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    )
    token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    return Session(ray.get_runtime_context().gcs_address, token, listeners)


def driver(address: str, mark: Path, **environment: str) -> subprocess.Popen[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    home = {"HOME": str(mark.parent), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, address, str(mark)],
        env={**plain, **home, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_socket_that_listens_is_on_loopback(session: Session, matrix: Part) -> None:
    assert len(session.listeners) >= 3  # else the test has looked at the wrong processes
    there = {ip.removeprefix("::ffff:") for ip in session.listeners}
    matrix.add("Ray: sockets that listen", "127.0.0.1 only", sorted(there), there == {"127.0.0.1"})


def test_drivers_of_strangers_are_refused_and_one_with_the_token_is_not(
    session: Session, matrix: Part, tmp_path: Path
) -> None:
    mine = driver(
        session.address, tmp_path / "mine", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(session.token)
    )
    marks = {name: tmp_path / str(number) for number, name in enumerate(STRANGERS)}
    theirs = {name: driver(session.address, marks[name], **STRANGERS[name]) for name in STRANGERS}
    _, errors = mine.communicate(timeout=PATIENCE)
    assert (tmp_path / "mine").exists(), errors  # the attack is a real one: with the token it works
    for name, process in theirs.items():
        errors = process.communicate(timeout=PATIENCE)[1]
        refused = process.returncode != 0 and not marks[name].exists() and "InvalidAuthToken" in errors
        case = f"Ray: a foreign driver {name}"
        matrix.add(case, "refused, runs nothing", errors.strip().splitlines()[-1], refused)


def test_token_logs_and_sockets_are_in_a_private_folder_with_a_name_that_nobody_can_guess(
    session: Session, matrix: Part
) -> None:
    folder = session.token.parent
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, session.token)]
    import ray

    inside = Path(ray._private.worker._global_node.get_session_dir_path()).is_relative_to(folder)
    seen = f"{[oct(mode) for mode in modes]}, session inside: {inside}"
    matrix.add("Ray: the session's folder", "0700, token 0600", seen, modes == [0o700, 0o600] and inside)


def test_no_dashboard_answers(session: Session, matrix: Part) -> None:
    import ray

    url = ray._private.worker._global_node.webui_url
    matrix.add("Ray: dashboard", "none", repr(url), not url)


SWEEP = """
import os
import sys
from pathlib import Path
from bench.work import cluster
def work(task, threads):
    import ray
    address = ray.get_runtime_context().gcs_address
    return address, os.environ["RAY_AUTH_TOKEN_PATH"], os.environ["RAY_AUTH_MODE"]
(outcome,) = cluster.run(["task"], work, cluster.Share())
address, token, mode = outcome.result
assert address.startswith("127.0.0.1:") and mode == "token" and not Path(token).parent.exists(), outcome
assert "RAY_AUTH_TOKEN_PATH" not in os.environ
assert token != sys.argv[1], "the token of another session"
"""


def test_tasks_of_a_sweep_run_in_such_a_session_which_leaves_nothing_behind(
    root: Path, matrix: Part, session: Session
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    call = [sys.executable, "-c", SWEEP, str(session.token)]
    done = subprocess.run(call, env=environment, cwd=root, timeout=PATIENCE, capture_output=True, text=True)
    got = f"exit code {done.returncode} {done.stderr[-200:]}"
    matrix.add("Ray: a run of own tasks", "in a private session of its own", got, done.returncode == 0)


JOIN = """
import json, os, sys
from bench.work import ray_session
plain = dict(os.environ)
for given in json.loads(sys.argv[1]):
    os.environ.update(given)
    try:
        ray_session.join("127.0.0.1:1").__enter__()
    except ray_session.ClusterError as error:
        print(error)
    os.environ.clear()
    os.environ.update(plain)
"""
UNJOINED = [
    ({}, "no token: set RAY_AUTH_TOKEN_PATH (a file) or RAY_AUTH_TOKEN"),
    ({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "no token: set RAY_AUTH_TOKEN_PATH"),
    ({"RAY_AUTH_TOKEN": ""}, "no token: set RAY_AUTH_TOKEN_PATH"),
    ({"RAY_AUTH_MODE": "off"}, "RAY_AUTH_MODE='off': unknown; known: token, disabled"),
]


def test_a_cluster_is_joined_with_a_token_or_by_an_explicit_word(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    call = [sys.executable, "-c", JOIN, json.dumps([given for given, _ in UNJOINED])]
    env = {**plain, "HOME": str(tmp_path)}
    done = subprocess.run(call, env=env, check=True, timeout=PATIENCE, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(UNJOINED)
    assert all(expected in line for line, (_, expected) in zip(lines, UNJOINED, strict=True)), lines


def test_a_ray_that_listens_on_the_network_is_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        gcs_address = "10.0.0.5:6379"

    monkeypatch.setattr("ray.get_runtime_context", Context)
    with pytest.raises(ClusterError, match=r"listens on the network \(10\.0\.0\.5:6379\)"):
        ray_session._refuse_open_session()
