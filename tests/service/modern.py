"""An engine and a buildx of this year, unpacked from Debian's packages and never installed.

Debian 12's own engine is 20.10; users' laptops have far newer ones, whose image store is containerd's.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.conftest import ROOT, one_at_a_time

SUITES = ("sid", "trixie")  # the second where the newest no longer runs on this system's libraries
PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "containerd")
SOURCES = """\
Types: deb
URIs: {uri}
Suites: {suite}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def fetch() -> Path:
    """The folder that the packages were unpacked into, fetched unless it is there; raises RuntimeError."""
    reasons = []
    for suite in SUITES:
        folder = ROOT / "build" / "modern-engine" / suite
        try:
            with one_at_a_time("modern-engine"):
                return folder if _runs(folder) else _unpack(folder, suite)
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            reasons.append(f"{suite}: {error}")
    raise RuntimeError("; ".join(reasons))


def client(root: Path, config: Path) -> dict[str, str]:
    """The environment in which `docker` is the unpacked one, with buildx as its plugin."""
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "usr/libexec/docker/cli-plugins/docker-buildx", plugins)
    return {"PATH": f"{root}/usr/bin:/usr/bin:/bin", "DOCKER_CONFIG": str(config)}


def _unpack(folder: Path, suite: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        place = Path(scratch)
        for name in ("sources", "lists/partial", "cache/archives/partial", "debs", "root"):
            (place / name).mkdir(parents=True)
        (place / "sources/debian.sources").write_text(SOURCES.format(uri=_mirror(), suite=suite))
        options = [
            "-oDir::Etc::SourceList=/dev/null", f"-oDir::Etc::SourceParts={place}/sources",
            f"-oDir::State::Lists={place}/lists", f"-oDir::Cache={place}/cache", "-qq",
        ]  # fmt: skip
        _run("apt-get", *options, "update")
        _run("apt-get", *options, "download", *PACKAGES, folder=place / "debs")
        for package in (place / "debs").glob("*.deb"):
            _run("dpkg", "-x", str(package), str(place / "root"))
        for name in ("usr/sbin/runc", "usr/bin/runc"):  # needs newer libraries; this system's own serves
            (place / "root" / name).unlink(missing_ok=True)
        if not _runs(place / "root"):
            raise RuntimeError("its engine does not run here")
        (place / "root").rename(folder)
    return folder


def _mirror() -> str:
    """Where this machine's own packages come from."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for line in path.read_text().splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    for line in Path("/etc/apt/sources.list").read_text().splitlines():
        if line.startswith("deb "):
            return next(word for word in line.split() if word.startswith("http"))
    raise RuntimeError("no Debian mirror is configured here")


def _runs(root: Path) -> bool:
    engine = root / "usr/sbin/dockerd"
    return engine.is_file() and subprocess.run([engine, "--version"], capture_output=True).returncode == 0


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
