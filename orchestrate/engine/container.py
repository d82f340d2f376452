"""What a run does on a board: one volume, one container, whose name is the lock."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import docker.errors

from bench.record import files
from orchestrate.engine import archive
from orchestrate.engine.connection import Engine, docker_architecture
from orchestrate.engine.errors import (
    BadArchive,
    BoardBusy,
    EngineRefused,
    LockOwner,
    NotFound,
    RuntimeMissing,
    WrongArchitecture,
    typed,
    understood,
)
from orchestrate.engine.spec import DATA, NVIDIA, TACTICS_VOLUME, Spec, State

__all__ = ["DATA", "LOCK", "NVIDIA", "Board", "Spec", "State"]

LOCK = "orbitbench"  # the container's name: an engine has it once
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LOST = "the engine's word for it is older than the board's last start"
RECORD_BYTES = 64 * 2**20
# What is read of a container's state, and what it is where an engine leaves it out.
STATE: dict[str, Any] = {
    "Status": "", "ExitCode": 0, "OOMKilled": False, "Error": "", "StartedAt": "", "FinishedAt": ""
}  # fmt: skip

# Hashes are of what is on the board's disk now, not of what we once sent there.
HASHES = """
import hashlib, json, os
found = {}
for folder, _, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        found[os.path.relpath(path, ".")] = [os.path.getsize(path), digest.hexdigest()]
print(json.dumps(found))
"""


class Board:
    """The operations of one run on one engine. Each may raise the errors of `orchestrate.engine.errors`.

    Each may be repeated after a lost link: what is already done is taken as done.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.host = engine.host
        self._boot_id: tuple[object, str] | None = None

    # Volumes

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume; one that exists already is left as it is."""
        with self.engine.errors():
            self.engine.client.volumes.create(name, labels=dict(labels))

    def create_tactics(self, image: str) -> None:
        """Make the volume that outlives runs, owned by the user of `image` as that owns its own `/data`.

        An engine gives an empty volume the owner of the folder on which it is mounted, as soon as a container
        is created: this one never runs. A volume that holds something is left as it is.
        """
        labels = {"orbitbench.tactics": "kept"}
        self.create_volume(TACTICS_VOLUME, labels)
        spec = Spec(image, (), TACTICS_VOLUME, {**labels, "orbitbench.helper": "tactics"})
        with self.engine.errors():
            self.engine.client.containers.create(**spec.arguments()).remove(force=True)

    def volumes(self, label: str) -> dict[str, dict[str, str]]:
        """Return name -> labels of the volumes that carry `label` ("key" or "key=value")."""
        with self.engine.errors():
            found = self.engine.client.volumes.list(filters={"label": label})
        with understood(self.host):
            return {volume.name: typed(volume.attrs["Labels"] or {}, dict) for volume in found}

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container uses, if it is there."""
        with self.engine.errors(), contextlib.suppress(docker.errors.NotFound):
            self.engine.client.volumes.get(name).remove()

    # The container

    def create(self, spec: Spec) -> None:
        """Take the board: create the container, not started. Raises BoardBusy naming the lock owner.

        A container with the same labels that has never run is our own, from a call whose answer was lost.
        """
        self._check_image(spec)
        marks = {**spec.labels, "orbitbench.boot": self.boot_id()}
        arguments = dataclasses.replace(spec, labels=marks).arguments()
        try:
            with self.engine.errors():
                self.engine.client.containers.create(name=LOCK, **arguments)
        except EngineRefused as error:
            lock_owner = self.lock_owner()
            if "already in use" not in error.what or lock_owner is None:
                raise
            if dict(lock_owner.labels) != marks or lock_owner.status != "created":
                raise BoardBusy(self.host, lock_owner) from None

    def _check_image(self, spec: Spec) -> None:
        with self.engine.errors():
            image = self.engine.client.images.get(spec.image)
            theirs = docker_architecture(typed(image.attrs["Architecture"], str))
        info = self.engine.info()
        if theirs != info.architecture and not spec.emulated:
            raise WrongArchitecture(
                self.host,
                f"image {spec.image} is for {theirs}, the board is {info.architecture}",
                f"build or pull the {info.architecture} one",
            )
        if spec.runtime and spec.runtime not in info.runtimes:
            raise RuntimeMissing(
                self.host,
                f"its engine has no runtime {spec.runtime} (it has {', '.join(info.runtimes)})",
                "install nvidia-container-runtime there and restart docker",
            )

    def lock_owner(self) -> LockOwner | None:
        """Return who holds the board, None when it is free."""
        try:
            attributes = self._inspect(LOCK)
        except NotFound:
            return None
        status = self._state(attributes).status
        with understood(self.host):
            return LockOwner(LOCK, _labels(attributes), status, typed(attributes["Created"], str))

    def start(self, name: str = LOCK) -> None:
        """Start a created container; one that runs already is left alone."""
        with self.engine.errors():
            self.engine.client.api.start(name)

    def state(self, name: str = LOCK) -> State:
        """Raises NotFound."""
        return self._state(self._inspect(name))

    def stop(self, name: str = LOCK, grace: int = 10) -> None:
        """SIGTERM, after `grace` seconds SIGKILL. Nothing happens when it does not run, or is gone."""
        with self.engine.errors(), contextlib.suppress(docker.errors.NotFound):
            self.engine.client.api.stop(name, timeout=grace)

    def remove(self, name: str = LOCK) -> None:
        """Remove the container, running or not: this frees the board."""
        with self.engine.errors(), contextlib.suppress(docker.errors.NotFound):
            self.engine.client.api.remove_container(name, force=True)

    def tail(self, name: str = LOCK, lines: int = 20) -> str:
        """Return the last lines of both outputs, for an error message."""
        with self.engine.errors():
            raw: bytes = self.engine.client.api.logs(name, tail=lines)
        return raw[-20_000:].decode(errors="replace")

    # Files

    def send(
        self,
        files: Mapping[str, archive.Source],
        name: str = LOCK,
        folder: str = DATA,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Put relative names -> local files (or bytes) below `folder` of a container, started or not."""
        if files:
            # Link and engine may be slow, and ssh watches the link: no limit on the answer's time here.
            with self.engine.errors(), self.engine.patient() as client:
                client.api.put_archive(name, folder, archive.stream(files, progress))

    def fetch(self, path: str, name: str = LOCK, *, limit: int = RECORD_BYTES) -> bytes:
        """Return a file of at most `limit` bytes. Raises NotFound, BadArchive."""
        with self.engine.errors():
            chunks, _ = self.engine.client.api.get_archive(name, path)
            try:
                files = list(archive.read(self.host, chunks, file_limit=limit, total_limit=limit))
            finally:
                chunks.close()
        if len(files) != 1 or files[0][0]:
            raise BadArchive(self.host, f"{path} is not a file there")
        return files[0][1]

    def hashes(self, volume: str, image: str, labels: Mapping[str, str]) -> dict[str, tuple[int, str]]:
        """Return relative name -> (bytes, sha256) of what is in `volume`, read there by the image's
        Python."""
        spec = Spec(
            image, (HASHES,), volume, {**labels, "orbitbench.helper": "hashes"}, entrypoint=("python3", "-c")
        )
        with self.engine.errors():
            helper = self.engine.client.containers.create(**spec.arguments())
            try:
                helper.start()
                code = helper.wait(timeout=600)["StatusCode"]
                output = helper.logs(stdout=True, stderr=code != 0)
            finally:
                helper.remove(force=True)
        if code:
            raise EngineRefused(
                self.host, f"cannot hash what is on it: {output[-300:].decode(errors='replace')}"
            )
        with understood(self.host):
            found = files.parse_json(bytes(output), "hashes")
            return {str(key): (int(size), str(digest)) for key, (size, digest) in found.items()}

    # Inside

    def boot_id(self) -> str:
        """Return the id of the board's present boot; asked once a connection, which no reboot survives."""
        client = self.engine.client
        if self._boot_id is None or self._boot_id[0] is not client:
            self._boot_id = client, self.engine.run(["cat", BOOT_ID]).out.strip()
        return self._boot_id[1]

    def _inspect(self, name: str) -> dict[str, Any]:
        with self.engine.errors():
            attributes: dict[str, Any] = self.engine.client.api.inspect_container(name)
        return attributes

    def _state(self, attributes: dict[str, Any]) -> State:
        with understood(self.host):
            labels = _labels(attributes)
            state = {
                key: typed(attributes["State"].get(key, default), type(default))
                for key, default in STATE.items()
            }
            if not state["Status"]:
                raise KeyError("Status")
        rebooted = labels.get("orbitbench.boot", self.boot_id()) != self.boot_id()
        # 255: what an engine writes for containers it finds dead at its start; 137: killed as it went down.
        lost = rebooted and (state["Status"] != "exited" or state["ExitCode"] in (137, 255))
        ended = state["Status"] in ("exited", "dead") and not lost
        return State(
            status="lost" if lost else state["Status"],
            exit_code=state["ExitCode"] if ended else None,
            out_of_memory=state["OOMKilled"],
            error=LOST if lost else state["Error"],
            labels=labels,
            started=state["StartedAt"],
            finished=state["FinishedAt"],
            rebooted=rebooted,
        )


def _labels(attributes: dict[str, Any]) -> dict[str, str]:
    labels = typed(attributes["Config"]["Labels"] or {}, dict)
    return {typed(key, str): typed(value, str) for key, value in labels.items()}
