"""One runtime a device: a file lock that the kernel releases when its owner dies, and the owner's name
in the file."""

import fcntl
import json
import os
import stat
import tempfile
from typing import Mapping, Optional

_FLAGS = sum((os.O_RDWR, os.O_CREAT, os.O_NOFOLLOW, os.O_NONBLOCK, os.O_CLOEXEC))  # distinct bits


class DeviceHeldError(Exception):
    """Another runtime holds the device; `owner` names it, as far as it is known."""

    def __init__(self, device: str, owner: str) -> None:
        super(DeviceHeldError, self).__init__("device {} is held by {}".format(device, owner))


def lock_folder(out_dir: str) -> str:
    """Return where locks live: ORBITBENCH_LOCK_DIR, the user's runtime folder, a private one in the temporary
    folder, or the results' (read-only containers)."""
    chosen = os.environ.get("ORBITBENCH_LOCK_DIR")
    if chosen and os.access(chosen, os.W_OK):
        return chosen
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_private(runtime):
        return runtime
    own = os.path.join(tempfile.gettempdir(), "orbitbench-{}".format(os.getuid()))
    try:
        os.mkdir(own, 0o700)
    except OSError:  # it exists, or nothing can be made there
        pass
    return own if _is_private(own) else out_dir


def _is_private(path: str) -> bool:
    """Whether a folder is ours and closed to others: a lock where others write can be taken or led astray."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    closed = not status.st_mode & 0o077
    return (
        stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and closed and os.access(path, os.W_OK)
    )


class DeviceLock(object):
    """A context that holds the device, or raises DeviceHeldError."""

    def __init__(self, device: str, where: str, owner: Mapping[str, object]) -> None:
        self.device, self.owner = device, owner
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
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(self.owner).encode("utf-8"), 0)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            os.close(self._file)


def _open(path: str) -> int:
    """A descriptor of the lock, a regular file with no second name: what is in it is about to be replaced."""
    try:
        handle = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        what = "a lock file that cannot be opened: {} ({})".format(path, error.strerror)
        raise DeviceHeldError(os.path.basename(path), what) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        raise DeviceHeldError(os.path.basename(path), "a lock file that is not a plain file: " + path)
    return handle


def _name(data: bytes) -> str:
    try:
        owner = json.loads(data.decode("utf-8"))
        return "run {run}, process {pid}, since {since}".format(**owner)
    except (ValueError, KeyError, TypeError):
        return "an unnamed process"
