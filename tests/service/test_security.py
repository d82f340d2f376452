"""What must not happen, tried on real sshd and engines: strangers trusted, passwords sent, boards obeyed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate.engine import errors, ssh
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board, Spec
from orchestrate.engine.log_stream import follow
from orchestrate.engine.tunnel import Tunnel
from tests import matrix
from tests.service.board import Board as Machine
from tests.service.connected import with_volume
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
IMAGE = "orbitbench/busybox:test"
LABELS = {"orbitbench.run": "security"}

# A user's configuration that would trust anybody, if ours did not come first.
TRUSTING = """\
  StrictHostKeyChecking no
  BatchMode no
  PasswordAuthentication yes
  NumberOfPasswordPrompts 3
  ForwardAgent yes
  PermitLocalCommand yes
"""


@pytest.fixture
def config(fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    """Makes an ssh configuration of the fleet's, changed, the one that is used."""

    def use(user: str = "bench", extra: str = "", known_hosts: str | None = None, key: bool = True) -> Path:
        path = fleet.write_ssh_config(user, "ssh_config_security", extra)
        text = path.read_text()
        if known_hosts is not None:
            own = fleet.folder / "known_hosts_security"
            own.write_text(known_hosts)
            text = text.replace(f"UserKnownHostsFile {fleet.known_hosts}", f"UserKnownHostsFile {own}")
        if not key:
            text = text.replace(f"IdentityFile {fleet.key}", "IdentityFile /nonexistent")
        path.write_text(text)
        monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(path))
        return path

    return use


@pytest.fixture
def board(engine1: Engine, config) -> Iterator[Board]:
    config()
    with with_volume(engine1, "orbitbench-security", LABELS) as board:
        yield board


@pytest.mark.parametrize("extra", ["", TRUSTING])
def test_an_unknown_host_key_is_refused_and_not_learned(fleet: Fleet, config, extra):
    config(extra=extra, known_hosts="")
    with pytest.raises(errors.HostKeyUnknown, match="compare the fingerprint"), Engine("board1"):
        pass
    assert (fleet.folder / "known_hosts_security").read_text() == ""


@pytest.mark.parametrize("extra", ["", TRUSTING])
def test_a_changed_host_key_is_refused(fleet: Fleet, config, extra):
    swapped = fleet["board2"].known_hosts_line.replace(fleet["board2"].ip, fleet["board1"].ip)
    config(extra=extra, known_hosts=swapped)
    with pytest.raises(errors.HostKeyChanged, match="ssh-keygen -R"), Engine("board1"):
        pass


def test_a_password_is_never_tried_even_where_it_would_do(fleet: Fleet, config, tmp_path, monkeypatch):
    asked = tmp_path / "asked"
    helper = tmp_path / "askpass"
    helper.write_text(f"#!/bin/sh\ntouch {asked}\necho bench\n")
    helper.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(helper))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("DISPLAY", ":0")
    path = config(extra=TRUSTING, key=False)
    by_hand = subprocess.run(["ssh", "-F", path, "board1", "id -un"], capture_output=True, text=True)
    assert by_hand.stdout == "bench\n", "the trap works: ssh itself would get in with the password"
    asked.unlink()
    before = len(fleet["board1"].log("sshd"))
    with pytest.raises(errors.AuthRefused, match="ssh-copy-id"), Engine("board1"):
        pass
    with pytest.raises(errors.AuthRefused):
        ssh.run("board1", ["true"])
    assert not asked.exists()
    assert "password" not in fleet["board1"].log("sshd")[before:]


def test_our_agent_stays_here(config, monkeypatch, tmp_path):
    agent = subprocess.run(
        ["ssh-agent", "-a", tmp_path / "agent"], capture_output=True, text=True, check=True
    )
    pid = agent.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0]
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        config(extra=TRUSTING)
        assert ssh.run("board1", ["printenv", "SSH_AUTH_SOCK"]).code == 1
    finally:
        os.kill(int(pid), 15)


@pytest.mark.parametrize(
    "host",
    ["-oProxyCommand=touch HURT", "$(touch HURT)", "`touch HURT`", "a;touch HURT", "a b", "", "a\nb", "%h",
     "-F/tmp/x", "me@-oX", "ssh://-oX", "unix", "../x"],
)  # fmt: skip
def test_a_hostile_host_never_reaches_a_shell_nor_becomes_an_option(host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", "/dev/null")
    with pytest.raises(errors.EngineError), Engine(host or "-"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_hostile_words_of_a_manifest_stay_words(board: Board):
    nasty = ["$(touch /data/hurt)", "; touch /data/hurt", "'\"", "--privileged", "\n"]
    labels = {**LABELS, "orbitbench.note": "$(id)\n'\"\x7f"}
    board.create(Spec(IMAGE, ("echo", *nasty), "orbitbench-security", labels, environment={"X": "$(id)"}))
    board.start()
    lines = [line for line in follow(board) if line is not None]
    assert b"\n".join(lines) == " ".join(nasty).encode()
    assert board.state().labels["orbitbench.note"] == labels["orbitbench.note"]
    with pytest.raises(errors.NotFound):
        board.fetch("/data/hurt")


@pytest.mark.parametrize("image", ["../../x", "a b", "-x", "$(id)", "x" * 300])
def test_a_hostile_image_name_is_an_unknown_image(board: Board, image):
    with pytest.raises(errors.EngineError):
        board.create(Spec(image, (), "orbitbench-security", LABELS))
    assert board.lock_owner() is None


@pytest.mark.parametrize("volume", ["/etc", "../etc", "/", "a:/b"])
def test_a_volume_name_cannot_mount_a_folder_of_the_board(board: Board, volume):
    with pytest.raises(errors.EngineError):
        board.create(Spec(IMAGE, ("true",), volume, LABELS))
    assert board.lock_owner() is None


MANY = "for i in 1 2 3 4 5 6; do dd if=/dev/zero of=records/$i bs=900k count=1; done"
HOSTILE = {
    "a link to a file outside": ("ln -s /etc/passwd records/a.json", "not a plain file"),
    "a hard link to another record": ("echo >x; ln x records/a; ln x records/b", "not a plain file"),
    "a named pipe": ("mkfifo records/a.json", "not a plain file"),
    "a record of 10 GB": ("truncate -s 10G records/a.json", "at most 1000000"),
    "more records than memory": (MANY, "more than"),
    "a name with terminal escapes": ("touch \"records/$(printf 'a\\033[2Jb')\"", "with the path"),
}  # fmt: skip
rows: list[dict] = []


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_container_cannot_make_us_read_what_we_did_not_ask_for(board: Board, case):
    script, says = HOSTILE[case]
    board.create(Spec(IMAGE, ("sh", "-c", f"mkdir records; {script}"), "orbitbench-security", LABELS))
    board.start()
    list(follow(board))
    try:
        found = f"{len(board.fetch('/data/records', limit=1_000_000))} bytes"
    except errors.BadArchive as error:
        found = error.what
    ok = says in found
    rows.append({"case": case, "expected": f"refused: {says}", "got": found, "ok": ok})
    matrix.write("hostile-boards", rows)
    assert ok, found


def test_a_link_in_place_of_the_folder_is_not_followed(board: Board):
    board.create(Spec(IMAGE, ("ln", "-s", "/etc", "records"), "orbitbench-security", LABELS))
    board.start()
    list(follow(board))
    with pytest.raises(errors.BadArchive, match="not a plain file"):
        board.fetch("/data/records")


def test_a_flood_without_an_end_of_line_is_cut_off(board: Board):
    board.create(Spec(IMAGE, ("sh", "-c", "dd if=/dev/zero bs=1M count=8"), "orbitbench-security", LABELS))
    board.start()
    with pytest.raises(errors.BadArchive, match="a line of more than"):
        list(follow(board))


def test_docker_without_permission_is_said_so(config):
    config(user="guest")
    with pytest.raises(errors.DockerForbidden, match="usermod -aG docker"), Engine("board1"):
        pass


def test_the_tunnels_socket_is_for_this_user_only(config):
    config()
    with Tunnel("board1") as tunnel:
        assert tunnel.socket.parent.stat().st_mode & 0o777 == 0o700
        assert tunnel.socket.stat().st_mode & 0o077 == 0
        assert len(str(tunnel.socket)) < 104


def test_no_image_is_ever_fetched_behind_our_back(namespaces):
    with Machine("empty", uplink=True) as machine, Engine(machine.docker_host) as engine:
        board = Board(engine)
        board.create_volume("empty", {})
        with pytest.raises(errors.ImageMissing):
            board.create(Spec("busybox:latest", ("true",), "empty", LABELS))
        assert machine.docker("images", "-q") == ""
