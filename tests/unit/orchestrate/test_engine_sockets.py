"""Where engines listen: contexts of this machine, rootless ones on boards; room there; ports lent to it."""

import hashlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrate.devices import Device
from orchestrate.engine import room, sockets, ssh, tunnel
from orchestrate.engine.connection import Engine
from orchestrate.engine.errors import (
    BadHost,
    DiskFull,
    EngineDown,
    ForwardingForbidden,
    OtherSocket,
)
from orchestrate.engine.image_store import ImageEngine
from orchestrate.engine.relay import Relay
from orchestrate.errors import LinkLost


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ~/.docker, with no variables that name an engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def context(folder: Path, name: str, host: str) -> None:
    """As `docker context create` writes it."""
    meta = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))


def use(folder: Path, name: str) -> None:
    """As `docker context use` does."""
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))


def test_without_any_setting_it_is_the_usual_socket(docker_config: Path) -> None:
    assert sockets.local_address() == "unix:///var/run/docker.sock"


def test_the_context_in_use_is_honoured_as_docker_does(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context(docker_config, "rootless", "unix:///run/user/1000/docker.sock")
    use(docker_config, "rootless")
    assert sockets.local_address() == "unix:///run/user/1000/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    assert sockets.local_address() == "unix:///elsewhere.sock", "DOCKER_HOST goes before contexts"


def test_a_context_can_be_named_by_a_variable(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(docker_config, "desktop", "unix:///home/me/.docker/desktop/docker.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "desktop")
    assert sockets.local_address() == "unix:///home/me/.docker/desktop/docker.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "desktpo")
    with pytest.raises(BadHost, match="docker context 'desktpo' names no engine"):
        sockets.local_address()


def test_an_address_that_we_do_not_speak_is_named_with_its_source(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context(docker_config, "far", "tcp://10.0.0.7:2376")
    use(docker_config, "far")
    with pytest.raises(BadHost, match=r"docker context far is tcp://10.0.0.7:2376"):
        sockets.local_address()
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.7:2375")
    with pytest.raises(BadHost, match=r"DOCKER_HOST is tcp://10.0.0.7:2375"):
        sockets.local_address()


def test_a_rootless_engine_is_found_and_the_key_to_write_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker/run").mkdir(parents=True)
    there = tmp_path / ".docker/run/docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(there))
        with pytest.raises(OtherSocket, match=f"listens at {there}.*`socket: {there}`") as raised:
            Engine(socket=str(tmp_path / "nothing.sock")).open()
    assert not isinstance(raised.value, LinkLost), "waiting does not help"


def test_where_nothing_listens_the_path_that_was_asked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sockets, "LOOK", sockets.LOOK.replace("/var/run/", f"{tmp_path}/no/"))
    with pytest.raises(EngineDown, match=r"nothing listens at .*nothing.sock"):
        Engine(socket=str(tmp_path / "nothing.sock")).open()


@pytest.mark.parametrize("verdict", ["other", "other x\x1b[2J", "other /a b", "missing", ""])
def test_what_a_board_says_of_its_socket_is_a_path_or_nothing(verdict: str) -> None:
    assert sockets.other(verdict) is None


def test_a_boards_socket_reaches_the_tunnel_and_the_relay() -> None:
    path = "/run/user/1000/docker.sock"
    engine = Engine("board", socket=path)
    assert isinstance(engine.tunnel, tunnel.Tunnel)
    assert engine.tunnel.remote == path
    assert Relay("board", path).remote == path


@pytest.mark.parametrize("path", ["docker.sock", "/a b", "/x;reboot", "-L/x"])
def test_a_socket_in_devices_yaml_is_an_absolute_path(path: str) -> None:
    with pytest.raises(ValueError, match="absolute path"):
        Device(host="b", image="pi4", backend="onnxruntime", socket=path)


# Forwarding


def test_a_port_that_cannot_be_lent_is_not_the_registrys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = ssh.explain("board", "Error: remote port forwarding failed for listen port 5000")
    assert isinstance(refused, ForwardingForbidden)
    engine = Engine("board", reverse=["127.0.0.1:5000:127.0.0.1:5000"])

    def forbidden(_: Any) -> None:
        raise refused

    monkeypatch.setattr(tunnel.Tunnel, "open", forbidden)
    with pytest.raises(ForwardingForbidden, match=r"AllowTcpForwarding|lends it no port") as raised:
        engine.open()
    assert "orchestrate images load" in str(raised.value)


# Room


def test_too_little_room_is_said_before_anything_is_sent_with_what_helps() -> None:
    with pytest.raises(DiskFull, match=r"needs 10.0 GB there, 8.0 GB are free: nothing was sent") as raised:
        room.check("xavier", 8 * 10**9, 10 * 10**9, "jetson-xavier")
    assert "data-root" in str(raised.value)
    room.check("xavier", None, 10**12, "unknown")
    room.check("xavier", 10, 10, "just enough")


def test_an_engines_room_is_that_of_its_own_disk(tmp_path: Path) -> None:
    class Local:
        def info(self) -> Any:
            return type("Info", (), {"root": str(tmp_path)})

        def run(self, words: list[str]) -> ssh.Output:
            return ssh.run_here(words)

    found = room.free_bytes(Local())  # type: ignore[arg-type]
    shown = subprocess.run(["df", "-Pk", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    assert found is not None
    assert abs(found - int(shown.split()[-3]) * 1024) < 10**9


def test_an_engine_whose_room_is_unknown_is_not_refused() -> None:
    assert ImageEngine(None).free() is None
