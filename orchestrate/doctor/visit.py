"""Going to a board and looking: connections first, then one probe, then the verdicts."""

import concurrent.futures
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrate.console import first_line
from orchestrate.devices import Device
from orchestrate.doctor import judges, probe
from orchestrate.doctor.checks import BoardFacts, Check
from orchestrate.engine import sockets
from orchestrate.engine.connection import Engine, Info
from orchestrate.engine.container import Board
from orchestrate.engine.errors import (
    AuthRefused,
    BadHost,
    DockerForbidden,
    EngineError,
    HostKeyChanged,
    HostKeyUnknown,
    ImageMissing,
    LockOwner,
    NotFound,
    SshFailed,
    UnreachableHost,
)
from orchestrate.engine.shapes import texts
from orchestrate.engine.ssh import ALLOW_SOCKETS, Output
from orchestrate.errors import OrbitError

if TYPE_CHECKING:
    from orchestrate.images.manifest import Image

AT_ONCE = 16
PROBE_SECONDS = 60
# Version in the tag -> the oldest L4T release of its JetPack (NVIDIA's archive).
OTHER_TAGS = {
    "cuda": {(10, 2): (32, 7), (11, 4): (35, 1), (12, 2): (36, 2), (12, 6): (36, 4)},
    "tensorrt": {(8, 2): (32, 7), (8, 4): (35, 1), (8, 5): (35, 2), (8, 6): (36, 2), (10, 3): (36, 4)},
}
DEFAULT_ROOT = "/var/lib/docker"
NAMES: dict[type[EngineError], str] = {
    HostKeyUnknown: "host key",
    HostKeyChanged: "host key",
    AuthRefused: "login",
    DockerForbidden: "docker permission",
    UnreachableHost: "ssh",
    BadHost: "ssh",
    SshFailed: "ssh",
}


def visit_all(devices: Mapping[str, Device]) -> dict[str, list[Check]]:
    """Return device -> verdicts; several boards at once."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(_visit, devices.values())
        return dict(zip(devices, found, strict=True))


def _visit(device: Device) -> list[Check]:
    """Return all verdicts about one board. What cannot be reached is a verdict too."""
    if device.transport == "process":
        return _examine(device, Engine(socket=sockets.USUAL), None)
    try:
        engine = Engine(device.host, socket=device.socket)
    except EngineError as error:
        return [Check(NAMES.get(type(error), "engine"), "fail", error.what, error.advice)]
    try:
        return _with_engine(device, engine)
    except OrbitError as error:
        return [Check("board", "fail", str(error))]
    except Exception as error:  # one board's odd answer costs the others nothing
        reason = f"what it answers makes no sense ({type(error).__name__}: {first_line(str(error))[:100]})"
        return [
            Check("board", "fail", reason, "is this the board that you mean? its other checks are left out")
        ]
    finally:
        engine.close()


def _with_engine(device: Device, engine: Engine) -> list[Check]:
    began = time.monotonic()
    try:
        engine.open()
        info = engine.info()
    except EngineError as error:
        failed = [Check(NAMES.get(type(error), "engine"), "fail", error.what, error.advice)]
        if isinstance(error, tuple(set(NAMES) - {DockerForbidden})):
            return failed  # no way in: nothing else can be known
        return failed + _examine(device, engine, None)
    reached = Check("connection", "ok", f"{engine.host} answers, {time.monotonic() - began:.1f} s")
    return [reached, *_forwarding(engine), *_examine(device, engine, info)]


def reached(device: Device, found: list[Check]) -> bool:
    """Return whether the verdicts are of a device on which something could run."""
    return device.transport == "process" or any(check.name == "connection" for check in found)


def _forwarding(engine: Engine) -> list[Check]:
    """Return a complaint where every connection takes an ssh login of its own."""
    if not engine.roundabout:
        return []
    text = "its sshd forwards nothing: every connection takes an ssh login of its own"
    return [Check("forwarding", "warn", text, ALLOW_SOCKETS)]


def _examine(device: Device, engine: Engine, info: Info | None) -> list[Check]:
    """Probe the machine, and judge what it reports."""
    script = probe.script(info.root if info else DEFAULT_ROOT, device)
    asked = time.time()
    try:
        answer: Output = engine.run(["sh", "-s"], timeout=PROBE_SECONDS, stdin=script)
    except EngineError as error:
        return [Check("probe", "fail", error.what, error.advice)]
    facts = probe.facts(answer.out)
    patient = BoardFacts(
        device,
        facts,
        info,
        None if facts.time is None else skew(facts.time, asked, time.time()),
        image_l4t(device),
        image_platforms(device),
        *(_docker_facts(device, Board(engine)) if info else ()),
    )
    return judges.examine(patient)


def skew(theirs: int, asked: float, answered: float) -> float:
    """Return the seconds that a clock, read some time between, differs at least; 0 when it can be right."""
    earliest, latest = asked - 1, answered + 1  # whole seconds
    return theirs - latest if theirs > latest else min(0.0, theirs - earliest)


def _docker_facts(device: Device, board: Board) -> tuple[bool | None, tuple[str, ...], LockOwner | None]:
    """Is the image there, which other containers run, who holds the board."""
    with board.engine.errors():
        running = [texts(each["Names"]) for each in board.engine.client.api.containers()]
        others = tuple(names[0].lstrip("/") for names in running if names)
    others = tuple(name for name in others if not name.startswith("orbitbench"))
    return _image_present(device, board), others, board.lock_owner()


def _image_present(device: Device, board: Board) -> bool | None:
    """Return whether any version of the image is on the board; None where no image is named."""
    if device.image is None:
        return None
    known = image_platforms(device)
    pattern = re.compile(rf"(?:^|/){re.escape(device.image)}(?::|$)")
    try:
        with board.engine.errors():
            if not known:
                board.engine.client.images.get(device.image)
                return True
            images = board.engine.client.api.images()
            return any(pattern.search(tag) for image in images for tag in texts(image.get("RepoTags")))
    except (ImageMissing, NotFound):
        return False


def image_platforms(device: Device) -> tuple[str, ...]:
    """Return what images.yaml makes the image for; empty for a full reference."""
    entry = _image_entry(device)
    return tuple(entry.platforms) if entry else ()


def image_l4t(device: Device) -> tuple[int, int] | None:
    """Return (32, 7) when the image is based on L4T r32.7."""
    entry = _image_entry(device)
    return l4t_of_base(entry.base or "") if entry else None


def l4t_of_base(base: str) -> tuple[int, int] | None:
    """Return the L4T release of a base image.

    L4t-cuda and l4t-tensorrt are tagged with versions of their own.
    """
    match = re.search(r"/l4t-([a-z]+):r?(\d+)\.(\d+)", base)
    if not match:
        return None
    kind, version = match[1], (int(match[2]), int(match[3]))
    return OTHER_TAGS[kind].get(version) if kind in OTHER_TAGS else version


def _image_entry(device: Device) -> "Image | None":
    from orchestrate.images.manifest import open_project

    if device.image is None:
        return None
    try:
        return open_project().images.images.get(device.image)
    except OrbitError:
        return None
