"""Calling ssh: what we insist on, what its failures mean."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from orchestrate.device_values import Host
from orchestrate.engine import errors, retry, ssh, tunnel
from orchestrate.engine.bounded import LINE_BYTES, lines
from orchestrate.errors import LinkLost


def test_every_call_insists_on_known_hosts_and_on_no_questions(monkeypatch):
    monkeypatch.delenv("ORBITBENCH_SSH_CONFIG", raising=False)
    call = " ".join(ssh.command("xavier", remote=["true"]))
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "PasswordAuthentication=no",
        "ForwardAgent=no",
    ):
        assert f"-o {option}" in call
    assert call.endswith("-- xavier true")
    assert "-F" not in call


def test_another_configuration_comes_only_from_the_environment(monkeypatch):
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", "/some/where")
    assert ssh.command("xavier")[:4] == ["ssh", "-T", "-F", "/some/where"]


@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1)
)
def test_any_words_arrive_as_the_same_words(words):
    script = ssh.command("host", remote=["printf", "%s\\0", *words])[-1]
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == words
    assert shlex.split(script)[2:] == words


HOSTS = "xavier me@10.0.0.7 ssh://me@board.lab:2222 [fe80::1] ::1 a+b@pi4 a-b_c.d"


@pytest.mark.parametrize("host", HOSTS.split())
def test_what_ssh_knows_as_a_host_is_a_host_here_and_in_devices_yaml(host):
    assert ssh.checked_host(host) == host
    assert TypeAdapter(Host).validate_python(host) == host


@given(st.text(max_size=30))
def test_no_host_can_be_an_option_or_hold_what_a_shell_reads(text):
    try:
        host = ssh.checked_host(text)
    except errors.BadHost:
        return
    assert TypeAdapter(Host).validate_python(host) == host
    assert not host.startswith("-")
    assert not set(host) & set(" \t\n'\"`$;&|<>()\\*?{}%!#~")


@pytest.mark.parametrize(
    ("stderr", "kind", "says"),
    [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification", "HostKeyChanged", "keygen -R"),
        ("No ED25519 host key is known for it\nHost key verification", "HostKeyUnknown", "fingerprint"),
        ("me@board: Permission denied (publickey,password).", "AuthRefused", "ssh-copy-id me@board"),
        ("ssh: Could not resolve hostname board: Name or service", "UnreachableHost", "no such name"),
        ("ssh: connect to host board port 22: Connection refused", "UnreachableHost", "is sshd running"),
        ("ssh: connect to host board port 22: No route to host", "UnreachableHost", "switched on"),
        ("ssh: connect to host board port 22: Connection timed out", "UnreachableHost", "switched on"),
        ("Timeout, server board not responding.", "LinkBroken", "not responding"),
        ("Connection reset by 10.0.0.7 port 22", "LinkBroken", "ended"),
        ("unix_listener: cannot bind", "SshFailed", "cannot bind"),
        ("", "SshFailed", "without a word"),
    ],
)  # fmt: skip
def test_what_ssh_says_is_told_with_a_next_step(stderr, kind, says):
    error = ssh.explain("me@board", f"Warning: something else\n{stderr}\n" if stderr else "")
    assert type(error).__name__ == kind
    assert says in str(error)
    assert str(error).startswith("me@board: ")
    assert "\n" not in str(error)


def test_a_missing_ssh_program_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.SshFailed, match="no program ssh"):
        ssh.run("board", ["true"])
    with pytest.raises(errors.SshFailed, match="no program ssh"):
        tunnel.Tunnel("board").open()


def test_the_sockets_folder_is_short_even_where_temporary_files_live_deep(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr(tunnel, "_folder", None)
    monkeypatch.setattr(tunnel.tempfile, "tempdir", str(deep))
    assert len(str(tunnel.Tunnel("board").socket)) < 90


# Trying again


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def failing(times: int, error: Exception):
    left = iter([error] * times)

    def action() -> str:
        for each in left:
            raise each
        return "done"

    return action


def test_what_may_pass_is_tried_again_ever_more_slowly():
    clock, waited = Clock(), []
    action = failing(6, LinkLost("x"))
    result = retry.retry(action, 1000, on_wait=lambda _, s: waited.append(s), sleep=clock.sleep, clock=clock)
    assert result == "done"
    assert len(waited) == 6
    for wait, ceiling in zip(waited, [0.5, 1, 2, 4, 8, 15], strict=True):
        assert ceiling / 2 <= wait <= ceiling


def test_patience_is_bounded_and_the_last_error_is_told():
    clock = Clock()
    with pytest.raises(LinkLost, match="cut"):
        retry.retry(failing(10**6, LinkLost("cut")), 60, sleep=clock.sleep, clock=clock)
    assert clock.now <= 60


def test_what_cannot_pass_is_not_tried_again():
    clock = Clock()
    with pytest.raises(errors.AuthRefused):
        retry.retry(failing(1, errors.AuthRefused("b", "x")), 60, sleep=clock.sleep, clock=clock)
    assert clock.now == 0


def test_boards_do_not_come_back_all_at_once():
    firsts = {next(retry.waits()) for _ in range(50)}
    assert len(firsts) == 50


# Lines


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_are_the_same_however_the_stream_is_cut(parts, size):
    data = b"\n".join(parts)
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    expected = data.split(b"\n")
    assert list(lines(chunks)) == (expected if expected[-1] else expected[:-1])


def test_an_endless_line_ends():
    with pytest.raises(ValueError, match="a line of more than"):
        list(lines([bytes(LINE_BYTES // 2)] * 5))
