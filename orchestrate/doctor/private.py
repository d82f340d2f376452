"""Take from verdicts what points to a person or a network: others will read them."""

import contextlib
import getpass
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrate.devices import Device
from orchestrate.doctor.checks import Check
from orchestrate.engine import ssh

PUBLIC = {"", "root", "localhost"}  # name nobody
HOME = re.compile(r"/(?:home|Users)/[^/\s:;,'\"]+")


def own_names() -> dict[str, str]:
    """Return the names of this machine and its user -> what replaces them."""
    found = {socket.gethostname(): "THIS-MACHINE", os.path.expanduser("~"): "~"}
    with contextlib.suppress(KeyError, OSError):  # a user id without a name
        found[getpass.getuser()] = "USER"
    return found


def names_of(name: str, device: Device) -> dict[str, str]:
    """Return what leads to a device -> its name in devices.yaml; ssh's own configuration is asked."""
    if device.host is None or device.host.startswith("unix:"):
        return {}
    place = device.host.removeprefix("ssh://")
    user, _, address = place.rpartition("@")
    found = {device.host: name, place: name, address: name, address.partition(":")[0]: name, user: "USER"}
    command = ssh.command(device.host, "-G")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    for key, _, value in (line.partition(" ") for line in done.stdout.splitlines()):
        found |= {value: name} if key == "hostname" else {value: "USER"} if key == "user" else {}
    return found


def without(text: str, names: Mapping[str, str]) -> str:
    """Return the text with each of `names` replaced where it is a whole word, and home folders as `~`."""
    for name in sorted(set(names) - PUBLIC, key=len, reverse=True):
        word = rf"(?<![\w./-]){re.escape(name)}(?![\w-]|\.\w)"
        text = re.sub(word, names[name].replace("\\", r"\\"), text)
    return HOME.sub("~", text)


def checks(found: Iterable[Check], names: Mapping[str, str]) -> list[Check]:
    """Return verdicts whose texts hold none of `names`."""
    return [
        replace(each, message=without(each.message, names), advice=without(each.advice, names))
        for each in found
    ]
