"""One runtime a device: a file lock that the kernel releases when its holder dies, and the holder's name
in the file."""

import fcntl
import json
import os
import tempfile
from typing import Any, Dict, Optional


class DeviceHeldError(Exception):
    """Another runtime holds the device; `holder` says who, as far as it told."""

    def __init__(self, device: str, holder: str) -> None:
        super(DeviceHeldError, self).__init__("device {} is held by {}".format(device, holder))


def folder(out_dir: str) -> str:
    """Where locks live: ORBITBENCH_LOCK_DIR, the machine's temporary folder, or the results' (read-only
    containers)."""
    for candidate in (os.environ.get("ORBITBENCH_LOCK_DIR"), tempfile.gettempdir()):
        if candidate and os.access(candidate, os.W_OK):
            return candidate
    return out_dir


class DeviceLock(object):
    """A context that holds the device, or raises DeviceHeldError."""

    def __init__(self, device: str, where: str, holder: Dict[str, Any]) -> None:
        self.device, self.holder = device, holder
        self.path = os.path.join(where, "orbitbench-{}.lock".format(device))
        self._file: Optional[int] = None

    def __enter__(self) -> "DeviceLock":
        self._file = _open(self.path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX + fcntl.LOCK_NB)
        except OSError:
            name = _name(os.pread(self._file, 4096, 0))
            os.close(self._file)
            raise DeviceHeldError(self.device, name) from None
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(self.holder).encode("utf-8"), 0)
        except OSError:  # another user's file: the lock holds all the same, without a name
            pass
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._file is not None:
            os.close(self._file)


def _open(path: str) -> int:
    """Open without O_CREAT first: in a sticky folder the kernel forbids O_CREAT on another user's file."""
    for mode in ("r+b", "xb+", "rb"):
        try:
            with open(path, mode) as stream:
                if mode == "xb+":
                    os.fchmod(stream.fileno(), 0o666)
                return os.dup(stream.fileno())
        except OSError:
            continue
    raise DeviceHeldError(os.path.basename(path), "a lock file that cannot be opened: " + path)


def _name(data: bytes) -> str:
    try:
        holder = json.loads(data.decode("utf-8"))
        return "run {run}, process {pid}, since {since}".format(**holder)
    except (ValueError, KeyError, TypeError):
        return "an unnamed process"
