"""OCI labels: where an image comes from, and what is in it."""

import datetime
import os
import subprocess
from pathlib import Path

from orchestrate.images.manifest import Target

SOURCE = "https://github.com/orbitbench/orbitbench"
LICENSE = "Apache-2.0"


def revision(root: Path) -> str:
    """Return the commit checked out in `root`, `-dirty` where files differ from it; `unknown` outside git."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + (
        "-dirty"
        if _git(root, "status", "--porcelain", "--", "bench", "images", "manifests/images.yaml")
        else ""
    )


def created(root: Path) -> str:
    """Return the RFC 3339 time of SOURCE_DATE_EPOCH, else of the commit: never of the build."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or _git(root, "log", "-1", "--format=%ct") or "0"
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def constant(target: Target, packages: dict[str, str]) -> dict[str, str]:
    """Return the labels that follow from images.yaml alone."""
    image, _, digest = target.base.partition("@")
    found = {
        "title": f"orbitbench {target.name}",
        "description": target.image.about,
        "source": SOURCE,
        "licenses": LICENSE,
        "version": target.version,
        "base.name": image,
        "base.digest": digest,
    }
    labels = {f"org.opencontainers.image.{key}": value for key, value in found.items() if value}
    return labels | {
        "org.orbitbench.python": target.python,
        "org.orbitbench.packages": " ".join(f"{name}=={pin}" for name, pin in sorted(packages.items())),
    }


def of(target: Target, packages: dict[str, str], root: Path) -> dict[str, str]:
    """Return all labels of a build made from `root` now."""
    moving = {
        "org.opencontainers.image.revision": revision(root),
        "org.opencontainers.image.created": created(root),
    }
    return constant(target, packages) | moving


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
