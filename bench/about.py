"""Which Orbitbench this is."""

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path


@cache
def version() -> str:
    """The installed distribution's version, or pyproject.toml's where the sources run as they are."""
    try:
        return metadata.version("orbitbench")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"])
