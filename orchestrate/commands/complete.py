"""Names that the shell completes: devices, experiments, runs. An unreadable file completes nothing."""

import os
from pathlib import Path


def devices(incomplete: str) -> list[str]:
    """Return names of devices.yaml."""
    from orchestrate import device_files
    from orchestrate.errors import OrbitError

    try:
        given = os.environ.get("ORBITBENCH_DEVICES")
        known = device_files.known(Path(given) if given else None)
    except (OrbitError, OSError):
        return []
    return [name for name in known if name.startswith(incomplete)]


def several_devices(incomplete: str) -> list[str]:
    """Do as `devices`, after a comma for the next name: of options that split at commas."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in devices(last)]


def runs(incomplete: str) -> list[str]:
    """Return the ids of the results folder, and `latest`."""
    from orchestrate.runs.folder import LATEST, known_runs

    known = known_runs(Path(os.environ.get("ORBITBENCH_RESULTS") or "results"))
    return [name for name in (LATEST, *reversed(known)) if name.startswith(incomplete)]
