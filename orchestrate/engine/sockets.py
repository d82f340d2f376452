"""Where an engine listens: this machine's own, and on a board where nothing listens at the usual path."""

import hashlib
import json
import os
import re
import shlex
from pathlib import Path

from orchestrate.engine.errors import BadHost

USUAL = "/var/run/docker.sock"
SOCKET = re.compile(r"/[A-Za-z0-9._/-]{1,106}")  # the kernel takes 107 bytes

# Prints one word about the socket $s, or `other` and a path: rootless Docker, Docker Desktop.
LOOK = r"""
if [ -S "$s" ]; then
  if [ ! -w "$s" ]; then echo forbidden
  elif docker -H "unix://$s" version >/dev/null 2>&1; then echo forward
  else echo ok; fi
  exit 0
fi
for o in "/run/user/$(id -u)/docker.sock" "$HOME/.docker/run/docker.sock" \
  "$HOME/.docker/desktop/docker.sock" /var/run/docker.sock; do
  [ -S "$o" ] && [ -w "$o" ] && { echo "other $o"; exit 0; }
done
echo missing
"""


def local_address() -> str:
    """This machine's engine as `docker` finds it: DOCKER_HOST, the context in use, or the usual socket.

    Raises BadHost for addresses that are neither a unix socket nor ssh.
    """
    configured, source = os.environ.get("DOCKER_HOST", ""), "DOCKER_HOST"
    if not configured:
        configured, source = _of_context()
    if configured and not configured.startswith(("unix://", "ssh://")):
        advice = "use a unix:// or ssh:// one, or name `socket` or `host` in devices.yaml"
        raise BadHost("this machine", f"{source} is {configured[:80]}", advice)
    return configured or f"unix://{USUAL}"


def _of_context() -> tuple[str, str]:
    """Address and name of the docker command's context in use; empty where it is the default one.

    The SDK's own reader looks for contexts in the working folder where there is no config.json.
    """
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT") or _field(folder / "config.json", "currentContext")
    if not name or name == "default":
        return "", ""
    file = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    host = _field(file, "Endpoints", "docker", "Host")
    if not host:
        advice = "`docker context ls` lists those that there are"
        raise BadHost("this machine", f"docker context {name[:80]!r} names no engine", advice)
    return host, f"docker context {name[:80]}"


def _field(file: Path, *keys: str) -> str:
    """A text in a JSON file; empty where it is not there."""
    try:
        value = json.loads(file.read_text())
        for key in keys:
            value = value[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def look(socket: str) -> str:
    """Return a shell script about a socket: prints missing, forbidden, forward, ok, or `other` and another
    path."""
    return f"s={shlex.quote(socket)}\n{LOOK}"


def other(verdict: str) -> str | None:
    """Return the path in `other PATH`, where it is one."""
    word, _, path = verdict.partition(" ")
    return path if word == "other" and SOCKET.fullmatch(path) else None
