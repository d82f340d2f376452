"""The folder that a build sees: Dockerfile, packages, our own code. Same inputs, same bytes."""

import os
import shutil
from pathlib import Path

from orchestrate.images import bake, requirements, rootfs
from orchestrate.images.manifest import Project, Target

EPOCH = (
    315532800  # 1980-01-01, the oldest time that a zip holds: file times mean nothing, so they never differ
)


def prepare(project: Project, target: Target) -> Path:
    """Bring build/images/TARGET up to date. Needs the network for new packages only."""
    folder = project.root / bake.CONTEXTS / target.context_name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project.source(target) / "Dockerfile", folder / "Dockerfile")
    if target.image.debian:
        rootfs.make(target, folder)
    else:
        requirements.unpack(project, target, folder)
        copy_code(project, target, folder)
        (folder / "data").mkdir(exist_ok=True)
    settle(folder)
    return folder


def copy_code(project: Project, target: Target, folder: Path) -> None:
    """Copy the parts of `bench` that the image runs to `folder`/bench."""
    source, goal = project.root / "bench", folder / "bench"
    shutil.rmtree(goal, ignore_errors=True)
    wanted = None if target.image.code == "all" else {"__init__.py", *target.image.code}

    def left_out(where: str, names: list[str]) -> set[str]:
        top = Path(where) == source
        return {n for n in names if n == "__pycache__" or (top and wanted is not None and n not in wanted)}

    shutil.copytree(source, goal, ignore=left_out)


def settle(folder: Path) -> None:
    """Give every file the same time and one of two modes: neither umask nor clock of this machine gets in."""
    for where, folders, files in os.walk(folder):
        for name in files:
            path = Path(where, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
        for name in folders:
            Path(where, name).chmod(0o755)
        os.utime(where, (EPOCH, EPOCH))
