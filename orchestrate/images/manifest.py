"""manifests/images.yaml: what each image is made of, and the targets that follow from it."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from bench.manifests import search_path
from bench.manifests.reader import Manifest, ManifestError, Section, load
from bench.version import package_version
from orchestrate.errors import BadInput, listed

Platform = Literal["linux/amd64", "linux/arm64"]
OWN_BASE = "base"  # the image that needs no registry: Debian's packages on an empty image
# What may precede an image's name: host[:port] and path, by github.com/distribution/reference.
_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_PART}(?:\.{_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_STEP = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REGISTRY = re.compile(f"(?:{_HOST}|{_STEP})(?:/{_STEP})*")


class Debian(Section):
    """What mmdebstrap unpacks into the own base image."""

    suite: str
    packages: list[str]


class Image(Section):
    """One entry of images.yaml."""

    about: str
    platforms: list[Platform]
    python: str
    base: str | None = None
    aliases: list[str] = Field(
        default_factory=list
    )  # other names of it in devices.yaml and on the command line
    dockerfile: str | None = None  # folder under images/, where it differs from the name
    code: list[str] | Literal["all"] = Field(default_factory=list)  # parts of bench
    deps: bool = False  # lock the dependencies of `requires` too
    requires: dict[str, list[str]] = Field(default_factory=dict)  # Python version -> pinned packages
    finds: list[str] = Field(default_factory=list)  # modules without which it cannot infer
    debian: Debian | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Image":
        if (self.base is None) == (self.debian is None):
            raise ValueError("needs either `base` (an image) or `debian` (packages)")
        if self.base and self.python not in self.requires:
            raise ValueError(f"`requires` has no packages for its own Python {self.python}")
        return self


class Images(Manifest):
    """The whole file."""

    registry: str
    images: dict[str, Image]


@dataclass(frozen=True)
class Target:
    """One image for one platform, on one base: what a single build makes."""

    name: str
    image: Image
    platform: Platform
    registry: str
    base: str
    python: str
    version: str

    @property
    def arch(self) -> str:
        """The engine's name of the architecture: amd64 or arm64."""
        return self.platform.partition("/")[2]

    @property
    def key(self) -> str:
        """`pi4-arm64`: the name of the bake target."""
        return f"{self.name}-{self.arch}"

    @property
    def repository(self) -> str:
        """The image's name in the registry, without tag."""
        return f"{self.registry}/{self.name}"

    @property
    def tag(self) -> str:
        """The full name of the built image."""
        return f"{self.repository}:{self.version}-{self.arch}"

    @property
    def folder(self) -> str:
        """Where its Dockerfile and locks are, below images/."""
        return self.image.dockerfile or self.name

    @property
    def lock_name(self) -> str:
        """The file that pins its Python packages, beside the Dockerfile."""
        return f"requirements-cp{self.python.replace('.', '')}-{self.arch}.lock"

    @property
    def context_name(self) -> str:
        """The folder below build/images that holds everything that goes into it."""
        return f"{self.key}-cp{self.python.replace('.', '')}"


@dataclass(frozen=True)
class Project:
    """A checkout and its images."""

    root: Path
    images: Images

    @property
    def version(self) -> str:
        """Return the version that tags carry."""
        return package_version(self.root)

    def source(self, target: "Target") -> Path:
        """Return the folder with the Dockerfile and locks of `target`; raises BadInput outside a checkout."""
        folder = self.root / "images" / target.folder
        if not folder.is_dir():
            raise BadInput(f"{folder} is missing: images are built in a checkout of the project")
        return folder

    def target(self, name: str, platform: str, base: str | None = None) -> Target:
        """Return `name` for `platform`; `base` replaces the manifest's (`base`: the own one).

        Raises BadInput.
        """
        name = self.canonical(name)
        image = self.image(name)
        chosen = next((p for p in image.platforms if p == platform), None)
        if chosen is None:
            raise BadInput(f"{name} is not made for {platform}, only for {listed(image.platforms)}")
        target = Target(
            name, image, chosen, self.images.registry, image.base or "scratch", image.python, self.version
        )
        if base is None or image.debian:
            return target
        if base != OWN_BASE:
            return replace(target, base=base)
        own = self.target(OWN_BASE, platform)
        return replace(target, base=own.tag, python=own.python)

    def image(self, name: str) -> Image:
        """Return the entry of that name; raises BadInput with the known ones."""
        name = self.canonical(name)
        if name not in self.images.images:
            raise BadInput(f"no image is called {name} (known: {listed(self.images.images)})")
        return self.images.images[name]

    def canonical(self, name: str) -> str:
        """Return the image's own name where `name` is an alias."""
        return next((own for own, image in self.images.images.items() if name in image.aliases), name)

    def targets(
        self, names: list[str] | None = None, platform: str | None = None, base: str | None = None
    ) -> list[Target]:
        """Return the targets of `names` (default: every board's) on `platform` (default: all of each)."""
        chosen = names or [name for name, image in self.images.images.items() if not image.debian]
        wanted = [(n, p) for n in chosen for p in self.image(n).platforms if platform in (None, p)]
        if not wanted:
            known = {each for name in chosen for each in self.image(name).platforms}
            raise BadInput(f"--platform {platform}: {', '.join(chosen)} is made for {listed(known)} only")
        return [self.target(name, platform, base) for name, platform in wanted]


def open_project(root: Path | None = None, registry: str | None = None) -> Project:
    """Return the checkout at `root`, by default the one that the current folder or this package is.

    Installed from a wheel there may be none: then the current folder, where locks are written, and the
    images.yaml of the search path. Raises BadInput for a file with mistakes.
    """
    checkouts = (p for p in (Path.cwd(), Path(__file__).parents[2]) if (p / "images").is_dir())
    here = root or next(checkouts, Path.cwd())
    path = here / "manifests" / "images.yaml" if root else search_path.file("images.yaml")
    try:
        images = load(path, Images)
    except ManifestError as error:
        raise BadInput(str(error)) from error
    chosen = (registry or os.environ.get("ORBITBENCH_REGISTRY") or images.registry).rstrip("/")
    if not REGISTRY.fullmatch(chosen):
        raise BadInput(
            f"registry {chosen!r}: give HOST[:PORT]/PATH, such as 127.0.0.1:5000/lab: "
            "no https://, no spaces, the path in small letters"
        )
    return Project(here, images.model_copy(update={"registry": chosen}))
