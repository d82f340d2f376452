"""The system's OpenSSH client: its options, single commands, and the typed error for what it prints.

The user's configuration, agent, jump hosts and known hosts apply. What we insist on: known host keys only, no
question is ever asked, no password tried, a dead link noticed within 12 s.
"""

import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from orchestrate.device_values import SSH_HOST
from orchestrate.engine.child_output import OUTPUT_BYTES, both_outputs
from orchestrate.engine.errors import (
    AuthRefused,
    BadAnswer,
    BadHost,
    CommandHung,
    EngineError,
    ForwardingForbidden,
    HostKeyChanged,
    HostKeyUnknown,
    LinkBroken,
    SshFailed,
    UnreachableHost,
)

CONNECT_SECONDS = 10
ALIVE_SECONDS, ALIVE_COUNT = 3, 3  # a silent peer is given up after (1 + 3) x 3 s at most
SSHD_OPTION = "set `{} yes` in its /etc/ssh/sshd_config and restart sshd"
ALLOW_SOCKETS = SSHD_OPTION.format("AllowStreamLocalForwarding")
OWN_CODE = '"$@"; code=$?; [ "$code" -ne 255 ] || code=254; exit "$code"'


def checked_host(host: str) -> str:
    """Return `host` if ssh may be given it. Raises BadHost."""
    if not re.fullmatch(SSH_HOST, host):
        raise BadHost(repr(host), "not a host", "write NAME, USER@NAME or ssh://USER@NAME:PORT")
    return host


def command(host: str, *options: str, remote: Sequence[str] = ()) -> list[str]:
    """Return the argument list of an ssh call.

    `remote` is quoted, word by word, for the shell at the other end.
    """
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ControlMaster": "no",
        "ControlPath": "none",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "LogLevel": "INFO",
    }
    config = os.environ.get("ORBITBENCH_SSH_CONFIG")
    call = ["ssh", "-T", *(["-F", config] if config else [])]
    for name, value in settings.items():
        call += ["-o", f"{name}={value}"]
    return [*call, *options, "--", checked_host(host), *([shlex.join(remote)] if remote else [])]


class Output(NamedTuple):
    """What a remote command left."""

    code: int
    out: str
    err: str


def run(host: str, remote: Sequence[str], *, timeout: float = 30, stdin: bytes = b"") -> Output:
    """Run `remote` (an argument list) on `host`. Raises what `explain` makes of a failing ssh, or LinkBroken.

    Exit code 255 is ssh's own word for its failures: a command that ends with it (nvpmodel does) gives 254.
    """
    call = command(host, "-o", "ClearAllForwardings=yes", remote=["sh", "-c", OWN_CODE, "sh", *remote])
    done = _run(host, call, remote, timeout, stdin)
    if done.code == 255:
        raise explain(host, done.err)
    return done


def run_here(words: Sequence[str], *, timeout: float = 30, stdin: bytes = b"") -> Output:
    """Run a command on this machine, as `run` does on a board."""
    return _run("this machine", words, words, timeout, stdin)


def _run(host: str, call: Sequence[str], words: Sequence[str], timeout: float, stdin: bytes) -> Output:
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                call, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except FileNotFoundError:
            raise SshFailed(host, f"no program {call[0]} on this machine") from None
    with process:
        try:
            out, err = both_outputs(process, time.monotonic() + timeout)
        except TimeoutError:
            raise CommandHung(host, f"`{shlex.join(words)[:80]}` did not end within {timeout:g} s") from None
        except OverflowError:
            what = f"`{shlex.join(words)[:80]}` there printed more than {OUTPUT_BYTES} bytes"
            raise BadAnswer(host, what) from None
        finally:
            process.kill()
    return Output(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


# What OpenSSH prints (stable since 7.x) -> what it means, what to do.
MEANINGS: list[tuple[str, type[EngineError], str, str]] = [
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        HostKeyChanged,
        "its host key is not the one in known_hosts: another machine answers, or it was set up again",
        "only if you know why, run `ssh-keygen -R {name}` and connect once by hand",
    ),
    (
        r"Host key verification failed|No .* host key is known",
        HostKeyUnknown,
        "its host key is not known here",
        "connect once by hand (`ssh {host}`) and compare the fingerprint",
    ),
    (
        r"remote port forwarding failed",
        ForwardingForbidden,
        "its sshd lends it no port of this machine, or another program there has that port",
        SSHD_OPTION.format("AllowTcpForwarding"),
    ),
    (
        r"Permission denied|Too many authentication failures",
        AuthRefused,
        "it refuses our keys ({last})",
        "copy your key there with `ssh-copy-id {host}`, or name it in ~/.ssh/config",
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        UnreachableHost,
        "no such name",
        "check `host` in devices.yaml, or add it to ~/.ssh/config",
    ),
    (
        r"Connection refused",
        UnreachableHost,
        "nothing listens on its ssh port",
        "is sshd running there?",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        UnreachableHost,
        "no answer ({last})",
        "is it switched on and on this network?",
    ),
    (
        r"Connection (closed|reset)|Broken pipe|kex_exchange_identification|not responding|lost connection",
        LinkBroken,
        "the connection ended ({last})",
        "",
    ),
]


def explain(host: str, stderr: str) -> EngineError:
    """Return the typed error for what ssh wrote before it gave up."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1][:200] if lines else "ssh ended without a word"
    name = host.removeprefix("ssh://").rpartition("@")[2]
    for pattern, kind, what, advice in MEANINGS:
        if re.search(pattern, stderr):
            return kind(host, what.format(last=last), advice.format(host=host, name=name))
    return SshFailed(host, last, f"try `ssh {host}` by hand")
