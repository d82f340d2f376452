"""What this user's runs owe to boards: `restore` after `prepare`, also where a run died in between.

Kept in the user's own state folder, never in a run's: folders of runs come from colleagues. A note has only
that a restore is owed, to whom, and which power settings were found there; the commands are those of the
device's entry in devices.yaml, or the program's own.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestrate.errors import StoreFailed
from orchestrate.runs import confined

NOTE_BYTES = 10_000
SETTING = re.compile(r"[a-z0-9_]{1,40}")  # a mode's number, a policy, a governor


@dataclass(frozen=True)
class OwedRestore:
    """The restore that a run owes to the board behind a device. `host` is None for this machine.

    power, before: the kind of power settings, and what they were (see `power`).
    """

    device: str
    host: str | None
    run: str
    power: str | None = None
    before: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The file's name: one note for a device at a host, whichever run left it."""
        return hashlib.sha256(f"{self.device}\0{self.host}".encode()).hexdigest()[:32] + ".json"


def _folder() -> confined.Folder:
    """Return the user's own folder of notes, made if need be; StoreFailed where others could write to it."""
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    path = base / "orbitbench" / "owed"
    try:
        for each in (path.parent, path):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = each.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
                raise StoreFailed(f"{each}: others may write to it: give it to yourself, with mode 0700")
    except OSError as error:
        advice = "what a run owes to a board is kept there; set XDG_STATE_HOME to another folder"
        raise StoreFailed(f"{path}: {error.strerror}: {advice}") from None
    return confined.Folder(path)


def write(note: OwedRestore) -> None:
    """Keep a note until it is dropped."""
    _folder().write(note.name, json.dumps(asdict(note)).encode())


def drop(note: OwedRestore) -> None:
    """The restore has been done."""
    _folder().remove(note.name)


def notes() -> Iterator[OwedRestore]:
    """Yield every note that can be read; what else lies there is left alone."""
    here = _folder()
    for name in here.names():
        try:
            value = json.loads(here.read(name, NOTE_BYTES))
            note = OwedRestore(
                value["device"], value["host"], value["run"], value.get("power"), value.get("before", {})
            )
        except (OSError, StoreFailed, ValueError, KeyError, TypeError, RecursionError):
            continue
        if name == note.name and _sound(note):
            yield note


def _sound(note: OwedRestore) -> bool:
    """Return whether the settings in a note are words that may be put back."""
    words = note.before.items() if isinstance(note.before, dict) else [(None, None)]
    plain = all(isinstance(word, str) and SETTING.fullmatch(word) for pair in words for word in pair)
    complete = {None: True, "jetson": "mode" in note.before, "governor": True}
    return plain and complete.get(note.power, False)
