"""Whether somebody listens at a Ray cluster's address: Ray itself would try for minutes."""

import os
import socket
from urllib.parse import urlsplit

from bench.errors import InputError

FORMS = "give HOST:PORT (such as 10.0.0.5:6379), ray://HOST:PORT, or auto"
WAIT = 5.0  # seconds for a TCP connection
FOUND_BY_RAY = {"auto", "local"}


def check_ray_address(address: str) -> None:
    """Raise InputError unless `address` is one that Ray takes, and its port accepts a connection."""
    if address in FOUND_BY_RAY:
        address = os.environ.get("RAY_ADDRESS", "") if address == "auto" else ""
        if not address or address in FOUND_BY_RAY:
            return
    host, port = _parts(address)
    try:
        socket.create_connection((host, port), WAIT).close()
    except OSError as error:  # an unknown name, too
        reason = error.strerror or f"no answer within {WAIT:g} s"
        raise InputError(
            f"--ray {address}: cannot be reached: {reason}; is the cluster up (`ray status` there), "
            "and its port open to this machine?"
        ) from None


def _parts(address: str) -> tuple[str, int]:
    """Host and port."""
    try:
        found = urlsplit("//" + address.removeprefix("ray://"))
        plain = not (found.path or found.query or found.fragment or found.username is not None)
        if found.hostname and found.port and plain and not any(c.isspace() for c in address):
            return found.hostname, found.port
    except ValueError:  # a port that is no number, brackets that do not close
        pass
    raise InputError(f"--ray {address!r}: not an address of a Ray cluster; {FORMS}")
