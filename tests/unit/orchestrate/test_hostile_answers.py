"""Whatever a board's engine sends, the answer is a typed error: soon, and in little memory."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrate.devices import Device
from orchestrate.doctor.checks import Check
from orchestrate.doctor.visit import visit_all
from orchestrate.engine.bounded import ANSWER_BYTES, FRAME, unframed
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board
from orchestrate.engine.errors import EngineError
from orchestrate.engine.image_store import ImageEngine
from tests.conftest import PATIENCE
from tests.matrix import Part
from tests.performance.engine_stub import INFO, VERSION
from tests.unit.orchestrate.hostile_engine import (
    CHUNKED,
    CONTAINER,
    Answer,
    HostileEngine,
    claims,
    dribble,
    endless,
    plain,
)

SECONDS = 1.0  # of patience with one answer
STOP = threading.Event()  # ends what dribbles when the module ends

ABUSES: dict[str, Callable[[Engine], object]] = {
    "/info": lambda engine: engine.info(),
    "/orbitbench/json": lambda engine: Board(engine).lock_owner(),
    "/logs": lambda engine: Board(engine).tail(),
    "/volumes": lambda engine: Board(engine).volumes("run"),
    "/images/x/json": lambda engine: ImageEngine(engine.client).find("x"),
    "/archive": lambda engine: Board(engine).fetch("/data/record"),
    "/push": lambda engine: ImageEngine(engine.client).push("x"),
}


def gzip_bomb(connection: socket.socket) -> None:
    plain(zlib.compress(bytes(1 << 26)), Content_Encoding="deflate")(connection)


FLOODS: dict[str, tuple[str, Answer]] = {
    "/info without end": ("/info", endless(b" " * 65536)),
    "/info of 6 GB by its header": (
        "/info",
        claims(b"HTTP/1.1 200 OK\r\nContent-Length: 6000000000\r\n\r\n"),
    ),
    "headers without end": ("/info", claims(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 8192)),
    "a status line without end": ("/info", claims(b"HTTP/1.1 200 ")),
    "an HTTP chunk of 4 GB": ("/push", claims(CHUNKED + b"ffffffff\r\n")),
    "a chunk length without end": ("/push", claims(CHUNKED, b"0" * 65536)),
    "an error without end": ("/info", endless(b" " * 65536, CHUNKED.replace(b"200 OK", b"500 No"))),
    "inspect without end": ("/orbitbench/json", endless(b" " * 65536)),
    "a tail without end": ("/logs", endless(FRAME.pack(1, 65536) + b"x" * 65536)),
    "events without a line break": ("/push", endless(b" " * 65536)),
    "a record without end": ("/archive", endless(b"x" * 65536)),
    "a redirection elsewhere": ("/info", plain({}, "301 Moved", Location="http://10.255.255.1/")),
    "a gzip bomb": ("/info", gzip_bomb),
}
SLOW: dict[str, tuple[str, Answer]] = {
    "the head of an answer": ("/info", dribble(STOP)),
    "the body of an answer": (
        "/info",
        dribble(STOP, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b" "),
    ),
    "inspect": ("/orbitbench/json", dribble(STOP, CHUNKED, b"1\r\n \r\n")),
    "a tail": ("/logs", dribble(STOP, CHUNKED, b"1\r\nx\r\n")),
    "a record": ("/archive", dribble(STOP, CHUNKED, b"1\r\nx\r\n")),
}
SHAPES: dict[str, tuple[str, Any]] = {
    "a list for /info": ("/info", []),
    "null for /info": ("/info", None),
    "text for /info": ("/info", "engine"),
    "no JSON for /info": ("/info", b"<html>"),
    "half of JSON for /info": ("/info", b'{"Name": '),
    "deep JSON for /info": ("/info", b"[" * 1_000_000),
    "no architecture": ("/info", {**INFO, "Architecture": None}),
    "text for a number of CPUs": ("/info", {**INFO, "NCPU": "four"}),
    "memory beyond every machine": ("/info", {**INFO, "MemTotal": 10**30}),
    "runtimes as a number": ("/info", {**INFO, "Runtimes": 7}),
    "a list for /version": ("/version", []),
    "no API version": ("/version", {"Version": "20.10"}),
    "a version of a million digits": ("/version", {**VERSION, "Version": "9" * 1_000_000}),
    "an API version that is none": ("/version", {**VERSION, "ApiVersion": "x.y"}),
    "a number for the containers": ("/containers/json", 5),
    "containers without names": ("/containers/json", [{}]),
    "a container without a state": ("/orbitbench/json", {**CONTAINER, "State": None}),
    "labels as a list": ("/orbitbench/json", {**CONTAINER, "Config": {"Labels": [1]}}),
    "an exit code as text": (
        "/orbitbench/json",
        {**CONTAINER, "State": {"Status": "exited", "ExitCode": "0"}},
    ),
}


@pytest.fixture(scope="module")
def matrix() -> Iterator[Part]:
    part = Part("hostile", "answers")
    yield part
    part.write()
    STOP.set()


def outcome(folder: Path, path: str, answer: Answer) -> str:
    """What the call that a path belongs to ends with, as the name of its error."""
    with HostileEngine(folder, {path: answer}) as hostile:
        try:
            with Engine(hostile.host, timeout=SECONDS) as engine:
                ABUSES[path](engine)
        except EngineError as error:
            return f"{type(error).__name__}: {error}"
    return "no error"


@pytest.mark.parametrize("case", SLOW)
def test_an_answer_in_drops_ends_with_its_time(case: str, tmp_path: Path, matrix: Part) -> None:
    got = outcome(tmp_path, *SLOW[case])
    typed = got.startswith(("LinkBroken", "BadAnswer", "BadArchive"))
    matrix.add(f"engine, a byte now and then: {case}", "typed error once the time is over", got, typed)


@pytest.mark.parametrize("case", ["before its answer", "in its answer"])
def test_a_board_that_falls_silent_in_a_transfer_ends_it(case: str, tmp_path: Path, matrix: Part) -> None:
    begun = CHUNKED + b'15\r\n{"status":"Waiting"}\n\r\n' if case == "in its answer" else b""
    silent = dribble(STOP, begun, seconds=60)
    got = "no error"
    with (
        HostileEngine(tmp_path, {"/images/create": silent}) as hostile,
        Engine(hostile.host, silence=0.5) as engine,
        engine.patient() as client,
    ):
        try:
            ImageEngine(client).pull("x", "linux/amd64")
        except EngineError as error:
            got = f"{type(error).__name__}: {error}"
    matrix.add(f"engine, silent {case} to a pull", "LinkBroken", got, got.startswith("LinkBroken"))


def test_a_transfer_may_take_longer_than_an_answer(tmp_path: Path) -> None:
    def slow(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        for _ in range(40):
            time.sleep(0.1)  # 4 s in all, of which no three are silent, however busy the machine
            connection.sendall(b'15\r\n{"status":"Waiting"}\n\r\n')
        connection.sendall(b"0\r\n\r\n")

    with (
        HostileEngine(tmp_path, {"/images/create": slow}) as hostile,
        Engine(hostile.host, silence=3) as engine,
        engine.patient() as client,
    ):
        assert ImageEngine(client).pull("x", "linux/amd64").architecture == "amd64"


FLOOD = """
import json, sys, tempfile
from pathlib import Path
from bench.runtime.measure.memory import reset_peak
from tests.unit.orchestrate.test_hostile_answers import FLOODS, outcome
for case, (path, answer) in FLOODS.items():
    reset_peak()
    got = outcome(Path(tempfile.mkdtemp(dir=sys.argv[1])), path, answer)
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps([case, got, int(peak)]), flush=True)
"""


@pytest.fixture(scope="module")
def flooded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """How each flood ended, and the kilobytes that it took at most, all in one process of their own."""
    call = [sys.executable, "-c", FLOOD, str(tmp_path_factory.mktemp("floods"))]
    done = subprocess.run(call, cwd=root, timeout=PATIENCE, capture_output=True, text=True, check=False)
    ended = map(json.loads, done.stdout.splitlines())
    return {**dict.fromkeys(FLOODS, (done.stderr[-300:], 0)), **{case: (got, kb) for case, got, kb in ended}}


@pytest.mark.parametrize("case", FLOODS)
def test_an_answer_without_end_costs_little_memory(
    case: str, flooded: dict[str, tuple[str, int]], matrix: Part
) -> None:
    got, kilobytes = flooded[case]
    ok = got not in ("", "no error") and 0 < kilobytes < 300_000
    matrix.add(f"engine, {case}", "typed error, under 300 MB", f"{got}; {kilobytes} kB", ok)


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Check]]:
    """What `devices check` finds on boards of every wrong shape and a good one, all looked at together."""
    with contextlib.ExitStack() as stack:
        devices = {}
        for name, answers in {**{case: [SHAPES[case]] for case in SHAPES}, "good": []}.items():
            hostile = {path: plain(value) for path, value in answers}
            engine = stack.enter_context(HostileEngine(tmp_path_factory.mktemp("board"), hostile))
            options = {"transport": "docker", "backend": "onnxruntime", "image": "example.org/x:1"}
            devices[name] = Device(host=engine.host, **options)
        return visit_all(devices)


@pytest.mark.parametrize("case", SHAPES)
def test_a_wrong_shape_is_a_fail_line_of_that_board_and_the_others_are_checked(
    case: str, visited: dict[str, list[Check]], matrix: Part
) -> None:
    failed = [f"{check.name}: {check.message}" for check in visited[case] if check.level == "fail"]
    good = {check.name: check.level for check in visited["good"]}
    ok = bool(failed) and good["connection"] == "ok" and len(json.dumps(failed)) < 2000
    matrix.add(f"devices check, {case}", "a fail line for that board only", failed, ok)


def test_frames_come_out_whole_wherever_the_stream_is_cut() -> None:
    stream = b"".join(FRAME.pack(1, len(part)) + part for part in (b"one\n", b"", b"two\n" * 3))
    for size in (1, 3, 8, 100):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert b"".join(unframed(pieces)) == b"one\n" + b"two\n" * 3


def test_an_answer_up_to_the_limit_is_read(tmp_path: Path) -> None:
    much = {**INFO, "Note": "x" * (ANSWER_BYTES - 10_000)}
    with HostileEngine(tmp_path, {"/info": plain(much)}) as engine, Engine(engine.host) as open_engine:
        assert open_engine.info().cpus == INFO["NCPU"]
