"""Which Orbitbench this is."""

import subprocess
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path


@cache
def package_version() -> str:
    """The installed distribution's version, or pyproject.toml's where the sources run as they are."""
    try:
        return metadata.version("orbitbench")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"])


@cache
def revision() -> str | None:
    """The sources' git commit, marked `-dirty` where they differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parents[1]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return None
    return described.stdout.strip() or None
