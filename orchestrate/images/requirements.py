"""Python packages of an image: pinned by hash, unpacked for its platform without running it."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrate.errors import BadInput, OrbitError
from orchestrate.images.manifest import Project, Target

# glibc of the systems that these Pythons come with limits the wheels: Ubuntu 18.04, 20.04, 22.04 (JetPack 6),
# Debian 12, Ubuntu 24.04 (JetPack 7), Debian 13.
GLIBC = {"3.6": 27, "3.8": 31, "3.10": 35, "3.11": 36, "3.12": 39, "3.13": 41}
OLDEST_GLIBC = 17  # manylinux2014
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def lock_path(project: Project, target: Target) -> Path:
    """Return the committed lock of `target`."""
    return project.source(target) / target.lock_name


def pins(lock: str) -> dict[str, str]:
    """Return name -> version of every package in a lock's text; raises BadInput for an unpinned line."""
    found = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in lock.splitlines())):
        requirement, *hashes = line.split()
        name, equals, version = requirement.partition("==")
        if not equals or not hashes or not all(h.startswith("--hash=sha256:") for h in hashes):
            raise BadInput(f"a lock needs NAME==VERSION --hash=sha256:..., not {line!r}: run `make locks`")
        found[name] = version
    return found


def read_lock(project: Project, target: Target) -> str:
    """Return the lock's text; raises BadInput where it is missing or no longer what images.yaml asks for."""
    path = lock_path(project, target)
    if not path.is_file():
        raise BadInput(f"{path.relative_to(project.root)} is not there: run `make locks` and commit it")
    text = path.read_text()
    locked = {name.lower(): version for name, version in pins(text).items()}
    for requirement in target.image.requires.get(target.python, []):
        name, _, version = requirement.partition("==")
        if locked.get(name.lower()) != version:
            raise BadInput(f"{path.relative_to(project.root)} does not hold {requirement}: run `make locks`")
    return text


def wheel_folder(project: Project, target: Target) -> Path:
    """Return where wheels that no index has lie: a folder for each Python, as two of them may need two
    releases."""
    return project.source(target) / "wheels" / f"cp{target.python.replace('.', '')}"


def local_wheels(project: Project, target: Target) -> list[Path]:
    """Return wheels made by hand for the target's Python, without what the lock has.

    Raises BadInput for a stray.
    """
    folder = wheel_folder(project, target)
    stray = sorted(folder.parent.glob("*.whl"))
    if stray:
        here = folder.parent.relative_to(project.root)
        raise BadInput(
            f"{here}/{stray[0].name}: each Python has a folder: move it to {here}/cp36, {here}/cp38, ..."
        )
    locked = {name.lower() for name in pins(read_lock(project, target))}
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.whl")):
        name = path.name.partition("-")[0].lower()
        if name in found:
            where = folder.relative_to(project.root)
            raise BadInput(f"{where} holds {found[name].name} and {path.name}: keep one")
        found[name] = path
    return [path for name, path in found.items() if name not in locked]


def unpack(project: Project, target: Target, folder: Path) -> None:
    """Fill `folder`/site with the locked packages, once for each lock. Interrupted: no trace."""
    text = read_lock(project, target)
    stamp, site = folder / "site.sha256", folder / "site"
    extra = local_wheels(project, target)
    digest = hashlib.sha256(text.encode() + b"".join(path.read_bytes() for path in extra)).hexdigest()
    if site.is_dir() and stamp.is_file() and stamp.read_text() == digest:
        return
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".site-", dir=folder))
    try:
        # --no-compile: the bytecode is the target's own Python's, not this one's
        arguments = ["install", "--no-deps", "--no-compile", "--require-hashes", "--target", str(staging)]
        if pins(text):
            run_pip([*arguments, *wheel_options(target), "-r", str(lock_path(project, target))], target)
        if extra:
            options = [*wheel_options(target), f"--platform=linux_{MACHINES[target.arch]}"]
            wanted = ["install", "--no-deps", "--no-compile", "--no-index", "--target", str(staging)]
            run_pip([*wanted, *options, *map(str, extra)], target)
        shutil.rmtree(staging / "bin", ignore_errors=True)  # scripts that name this machine's Python
        staging.chmod(0o755)
        stamp.unlink(missing_ok=True)
        shutil.rmtree(site, ignore_errors=True)
        staging.rename(site)
        stamp.write_text(digest)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def wheel_options(target: Target) -> list[str]:
    """pip's options to choose the target's wheels and not this machine's."""
    if target.python not in GLIBC:
        raise BadInput(
            f"{target.name}: Python {target.python} is not among {', '.join(GLIBC)}: its glibc is unknown"
        )
    return list(_options(target.python, MACHINES[target.arch]))


def _options(python: str, machine: str) -> Iterator[str]:
    minor = int(python.removeprefix("3."))
    yield from ("--only-binary=:all:", "--implementation=cp", f"--python-version={python}")
    for abi in (f"cp3{minor}" + ("m" if minor < 8 else ""), "abi3", "none"):
        yield f"--abi={abi}"
    for glibc in range(GLIBC[python], OLDEST_GLIBC - 1, -1):
        yield f"--platform=manylinux_2_{glibc}_{machine}"
    yield f"--platform=manylinux2014_{machine}"


def run_pip(arguments: list[str], target: Target) -> None:
    """Run pip quietly; OrbitError with its last complaint where it fails."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ, PIP_NO_INPUT="1"), check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise OrbitError(
            f"{target.key}: its Python packages cannot be had: {errors[-1].removeprefix('ERROR: ')}"
        )
