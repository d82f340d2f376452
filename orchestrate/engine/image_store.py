"""The image half of an engine: build, tag, push, pull, save, load.

The engine's streams end quietly or carry their error as data; everything here raises a typed error instead.
"""

import contextlib
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker

from orchestrate.engine import room
from orchestrate.engine.connection import Engine, docker_architecture
from orchestrate.engine.errors import BadAnswer, EngineRefused, ImageMissing, WrongArchitecture
from orchestrate.engine.sdk_errors import translate, typed_errors
from orchestrate.engine.shapes import count, labels, text, texts

TRY_OUT_SECONDS = 300  # an emulated Python takes seconds; some wheels hang under qemu-user
LAYERS = 1000  # Docker allows 127
ANSI = re.compile(r"\x1b\[[0-9;]*m")
NOISE = (
    "--->",
    "Removing intermediate container",
    "Successfully built",
    "[Warning]",
)  # of the classic builder
MARK = "org.opencontainers.image.title"  # every image of ours has this label
MARKS = ("org.opencontainers.image.", "org.orbitbench.")
Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all (0: unknown)


@dataclass(frozen=True)
class ImageInfo:
    """An image that an engine holds."""

    id: str
    architecture: str
    size: int  # bytes, uncompressed
    layers: tuple[str, ...]
    digests: tuple[str, ...]
    labels: dict[str, str]

    @property
    def content(self) -> str:
        """A digest of architecture, layers and labels: equal in every engine that holds the image.

        An id is not: the classic store names an image by its configuration, containerd's by its manifest.
        """
        marks = {key: value for key, value in sorted(self.labels.items()) if key.startswith(MARKS)}
        text = json.dumps([self.architecture, self.layers, marks])
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _described(found: Mapping[str, Any]) -> ImageInfo:
    """ImageInfo from the answer to /images/NAME/json. Raises for other shapes."""
    return ImageInfo(
        text(found["Id"]),
        text(found["Architecture"]),
        count(found["Size"]),
        texts(found["RootFS"].get("Layers")),
        texts(found.get("RepoDigests")),
        labels((found.get("Config") or {}).get("Labels")),
    )


def quiet(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


class ImageEngine:
    """Images of one engine, through a connected client of the Docker SDK."""

    def __init__(
        self,
        client: docker.DockerClient,
        name: str = "this machine",
        address: str = "",
        free: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.free = free  # bytes free where the engine keeps its data; None where that is not known
        self.client = client
        self.name = name
        self.address = address  # unix://..., for programs that talk to the same engine; empty behind ssh

    def architecture(self) -> str:
        """amd64, arm64, ..."""
        with typed_errors(self.name):
            return docker_architecture(text(self.client.info()["Architecture"]))

    def find(self, reference: str) -> ImageInfo | None:
        """Return the image with that tag, digest or id; None where the engine has none."""
        try:
            with typed_errors(self.name):
                return _described(self.client.images.get(reference).attrs)
        except ImageMissing:
            return None

    def with_content(self, content: str, *names: str) -> ImageInfo | None:
        """Return the image of that content: under one of `names`, or any of ours.

        None where the engine has none.
        """
        named = (found for name in names if (found := self.find(name)))
        ours = (
            found
            for entry in self._ask(self.client.api.images, filters={"label": MARK}, all=True)
            if (found := self.find(entry["Id"]))
        )
        return next((found for found in itertools.chain(named, ours) if found.content == content), None)

    def get(self, reference: str) -> ImageInfo:
        """Return what `find` does; EngineError where there is none."""
        found = self.find(reference)
        if found is None:
            raise ImageMissing(self.name, f"it has no image {reference}")
        return found

    def build(
        self,
        context: Path,
        dockerfile: str,
        platform: str,
        base: str,
        say: Callable[[str], None],
        cache: bool = True,
    ) -> str:
        """Build `context` with the classic builder, without a tag; the image's id. `say` gets its lines."""
        events = self._ask(
            self.client.api.build,
            path=str(context),
            dockerfile=dockerfile,
            platform=platform,
            buildargs={"BASE": base},
            rm=True,
            forcerm=True,
            nocache=not cache,
            decode=True,
        )
        made, foreign = "", False
        try:
            for event in self._events(events):
                made = event.get("aux", {}).get("ID", made)
                for line in ANSI.sub("", event.get("stream", "")).splitlines():
                    foreign |= "exec format error" in line
                    if line.strip() and not line.lstrip().startswith(NOISE):
                        say(line.rstrip())
        except EngineRefused as error:  # "non-zero code"; the reason stood in the output
            raise WrongArchitecture(self.name, "exec format error") if foreign else error from error
        if not made:
            raise EngineRefused(self.name, "it ended the build without an image")
        return made

    def try_out(self, image: str, command: Sequence[str]) -> tuple[int, str]:
        """Run `command` in the image without network; its exit code, and the end of what it printed."""
        made = self._ask(
            self.client.containers.create,
            image,
            entrypoint=list(command),
            command=[],
            network_mode="none",
            cap_drop=["ALL"],
        )
        try:
            self._ask(made.start)
            code = count(self._ask(made.wait, timeout=TRY_OUT_SECONDS)["StatusCode"])
            return code, self._ask(made.logs, tail=20).decode("utf-8", "replace")
        finally:
            self._ask(made.remove, force=True)

    def pull(self, reference: str, platform: str, progress: Progress = quiet) -> ImageInfo:
        """Pull `name:tag` or `name@digest`; raises EngineError, also for another platform's image."""
        repository, tag = split(reference)
        events = self._ask(
            self.client.api.pull, repository, tag=tag, platform=platform, stream=True, decode=True
        )
        self._follow(events, "pull", progress)
        found = self.get(reference)
        wanted = platform.partition("/")[2]
        if found.architecture != wanted:  # engines up to 20.10 pull it without a word
            self._ask(self.client.images.remove, reference)
            what = f"{reference} is for {found.architecture}, not {wanted}: removed again"
            raise WrongArchitecture(self.name, what)
        return found

    def push(self, reference: str, progress: Progress = quiet) -> str:
        """Push a tag; the digest under which the registry keeps it."""
        repository, tag = split(reference)
        events = self._ask(self.client.api.push, repository, tag=tag, stream=True, decode=True)
        digest = self._follow(events, "push", progress).get("Digest") or self._registry_digest(reference)
        if not digest:
            raise EngineRefused(self.name, f"the registry named no digest for {reference}")
        return str(digest)

    def _registry_digest(self, reference: str) -> str:
        """The digest that an image has in the repository of `reference`; engines with containerd's store
        do not report it at the end of a push."""
        found = (digest.partition("@") for digest in self.get(reference).digests)
        return next((digest for name, _, digest in found if name == split(reference)[0]), "")

    def tag(self, image: str, reference: str) -> None:
        """Give an image its name, which an older image loses."""
        repository, tag = split(reference)
        self._ask(self.client.api.tag, image, repository, tag=tag, force=True)

    def untag(self, reference: str) -> None:
        """Take a name away; the image goes with its last one."""
        self._ask(self.client.images.remove, reference, noprune=True)

    def save(self, reference: str) -> Iterator[bytes]:
        """Yield the image as a tar archive with that name in it."""
        yield from self._ask(lambda: self.client.images.get(reference).save(named=reference))

    def load(self, archive: Iterable[bytes]) -> None:
        """Take an archive in."""
        self._ask(self.client.images.load, archive)

    def _follow(self, events: Iterable[dict[str, Any]], what: str, progress: Progress) -> dict[str, Any]:
        """Add up the layers' progress; the engine's closing remark."""
        layers: dict[str, tuple[int, int]] = {}
        closing: dict[str, Any] = {}
        for event in self._events(events):
            closing = event.get("aux") or closing
            detail = event.get("progressDetail") or {}
            if event.get("status") in ("Downloading", "Pushing") and "current" in detail:
                layers[text(event["id"])] = (count(detail["current"]), count(detail.get("total", 0)))
                if len(layers) > LAYERS:
                    raise BadAnswer(self.name, f"its engine names more than {LAYERS} layers of one image")
                done, total = (sum(column) for column in zip(*layers.values(), strict=True))
                progress(what, done, total)
        return closing

    def _events(self, events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        with typed_errors(self.name):
            for event in events:
                if "error" in event:
                    text = " ".join(str(event["error"]).split())
                    raise translate(self.name, docker.errors.APIError(text, explanation=text))
                yield event

    def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with typed_errors(self.name):
            return call(*arguments, **options)


@contextlib.contextmanager
def connected(
    host: str | None = None,
    name: str | None = None,
    reverse: Sequence[str] = (),
    logins: bool = False,
    socket: str | None = None,
) -> Iterator[ImageEngine]:
    """The images of the engine at `host` (None: this machine's), with patience for long transfers.

    This machine's engine is the user's own. logins: see `Engine`.
    """
    with (
        Engine(host, reverse=reverse, own=host is None, logins=logins, socket=socket) as engine,
        engine.patient() as client,
    ):
        address = engine.address if engine.is_local else ""
        yield ImageEngine(client, name or engine.host, address, partial(room.free_bytes, engine))


def split(reference: str) -> tuple[str, str]:
    """Return `name`, and `tag` or `sha256:...`, as the engine's API wants them."""
    name, at, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = head
    else:
        tag = "latest"
    return name, digest if at else tag
