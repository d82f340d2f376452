"""Which Orbitbench this is."""

import subprocess
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

NAME = "orbitbench"
ROOT = Path(__file__).resolve().parents[1]


@cache
def package_version(root: Path = ROOT) -> str:
    """Return the version in the pyproject.toml of the checkout `root`, else the installed distribution's.

    In this order, since an editable installation still names the version that it was made at.
    """
    path = root / "pyproject.toml"
    project = tomllib.loads(path.read_text()).get("project", {}) if path.is_file() else {}
    return str(project["version"]) if project.get("name") == NAME else metadata.version(NAME)


@cache
def revision() -> str | None:
    """Return the sources' git commit, marked `-dirty` where they differ from it; None outside a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return None
    return described.stdout.strip() or None
