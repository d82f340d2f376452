"""manifests/images.lock.yaml: the digests that were built or pushed, by image and platform."""

from pathlib import Path

import yaml
from pydantic import Field

from bench.manifests import search_path
from bench.manifests.reader import Manifest, ManifestError, Section, load
from bench.record import files
from orchestrate.errors import BadInput

OWN = search_path.OWN / "images.lock.yaml"  # below the project
HEAD = """\
# Written by `orchestrate images push`: what each image is, and its digest in the registry.
# Commit it after a push, so that every checkout and every board means the same images.
"""
DIGEST = r"^sha256:[0-9a-f]{64}$"


class Built(Section):
    """One image on one platform."""

    content: str = Field(pattern=DIGEST)  # of layers, architecture, labels: the same in every engine
    base: str
    revision: str
    size: int  # bytes, uncompressed
    tag: str
    digest: str | None = Field(
        default=None, pattern=DIGEST
    )  # of its manifest in the registry; None: never pushed

    @property
    def by_digest(self) -> str | None:
        """`repository@sha256:...`, or None where it was never pushed."""
        return f"{self.tag.rpartition(':')[0]}@{self.digest}" if self.digest else None


class Lock(Manifest):
    """The whole file: image -> platform -> what was built."""

    images: dict[str, dict[str, Built]] = Field(default_factory=dict)

    def find(self, name: str, platform: str) -> Built | None:
        """Return the entry of an image on a platform."""
        return self.images.get(name, {}).get(platform)

    def with_entry(self, name: str, platform: str, built: Built) -> "Lock":
        """Return a copy with that entry new or replaced."""
        return Lock(images={**self.images, name: {**self.images.get(name, {}), platform: built}})


def find(root: Path) -> Path:
    """Return the lock of the project at `root`; without one, that of the search path."""
    return root / OWN if (root / OWN).is_file() else search_path.file(OWN.name)


def read(path: Path) -> Lock:
    """Return the lock at `path`, empty where the file is not there.

    Raises BadInput for one that cannot be used.
    """
    if not path.exists():
        return Lock()
    try:
        return load(path, Lock)
    except ManifestError as error:
        raise BadInput(
            f"{error}\nimages.lock.yaml is written by `orchestrate images push`: restore it"
        ) from error


def _write(path: Path, lock: Lock) -> None:
    """Replace the file whole: a reader sees the old or the new one."""
    data: dict[str, object] = {"schema": Lock.SCHEMA, **lock.model_dump()}
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(str(path), (HEAD + yaml.safe_dump(data, sort_keys=False, width=110)).encode())


def record(path: Path, name: str, platform: str, built: Built) -> None:
    """Put one entry into the file."""
    _write(path, read(path).with_entry(name, platform, built))
