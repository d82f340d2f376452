"""The own base: a Debian root filesystem unpacked by mmdebstrap, without running a program of the target."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from orchestrate.errors import OrbitError
from orchestrate.images.manifest import Target

# Unpacked, not installed: no maintainer script runs, no emulator needed. Documentation goes, licences stay.
CLEAN = """cd "$1/usr/share" && find doc -type f ! -name copyright -delete && find doc -type l -delete &&
find doc -depth -type d -empty -delete && rm -rf man locale info lintian"""


def make(target: Target, folder: Path) -> None:
    """Leave `folder`/rootfs.tar, made once for each package list (delete it for Debian's updates)."""
    debian = target.image.debian
    assert debian is not None
    tar, stamp = folder / "rootfs.tar", folder / "rootfs.sha256"
    wanted = hashlib.sha256(repr((debian.suite, debian.packages, target.arch, CLEAN)).encode()).hexdigest()
    if tar.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    if not shutil.which("mmdebstrap"):
        raise OrbitError(
            f"{target.key}: mmdebstrap makes it and is not installed: apt-get install mmdebstrap"
        )
    staging = folder / ".rootfs.tar"
    command = ["mmdebstrap", f"--architectures={target.arch}", "--variant=extract", "--skip=check/qemu"]
    command += ["--quiet", f"--include={','.join(debian.packages)}", f"--extract-hook={CLEAN}"]
    command += [debian.suite, str(staging)]
    environment = dict(os.environ, SOURCE_DATE_EPOCH="315532800")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            errors = [line.removeprefix("E: ") for line in done.stderr.splitlines() if line.startswith("E:")]
            reason = errors[0] if errors else "mmdebstrap failed"
            raise OrbitError(f"{target.key}: Debian's packages cannot be had: {reason}")
        staging.rename(tar)
        stamp.write_text(wanted)
    finally:
        staging.unlink(missing_ok=True)
