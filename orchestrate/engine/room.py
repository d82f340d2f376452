"""Whether a board has room for an image, asked before anything is sent."""

import re

from orchestrate.engine.connection import Engine
from orchestrate.engine.errors import DiskFull, EngineError
from orchestrate.quantities import size

MOVE = (
    'move Docker to a larger disk, such as an NVMe ("data-root": "/mnt/nvme/docker" in '
    "/etc/docker/daemon.json, then restart docker), or free some with `docker system prune` there"
)


def disk_free(text: str) -> int | None:
    """Return the free bytes, from the last line of `df -Pk`.

    They are the number before the percentage, as names may hold spaces.
    """
    match = re.search(r"\s(\d{1,18})\s+\d+%\s", text.splitlines()[-1] if text else "")
    return int(match[1]) * 1024 if match else None


def free_bytes(engine: Engine) -> int | None:
    """Return what is free where an engine keeps its data; None where that cannot be asked."""
    try:
        return disk_free(engine.run(["df", "-Pk", engine.info().root]).out)
    except EngineError:
        return None


def check(host: str, free: int | None, wanted: int, what: str) -> None:
    """Raise DiskFull, with what helps, where less is free than wanted."""
    if free is not None and free < wanted:
        text = f"{what} needs {size(wanted)} there, {size(free)} are free: nothing was sent"
        raise DiskFull(host, text, MOVE)
