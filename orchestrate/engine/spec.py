"""A container as we ask for it, and as the engine describes it."""

import dataclasses
from collections.abc import Mapping

from docker.types import DeviceRequest, LogConfig, Mount

DATA = "/data"  # where the run's volume is mounted, the image's working directory
TACTICS = "/tactics"  # where the volume is mounted that outlives runs
TACTICS_VOLUME = "orbitbench-tactics"

# JetPack: the runtime hands out nothing unless asked, and newer toolkits mount the host's CUDA and TensorRT
# only on this request (boards that need neither ignore it).
NVIDIA = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",  # no display, video or graphics: nothing here uses them
    "NVIDIA_REQUIRE_JETPACK": "csv-mounts=all",
}


@dataclasses.dataclass(frozen=True)
class Spec:
    """A container to be. `labels` name the run; `image` may be any name or id that the engine knows.

    runtime "nvidia" also sets what JetPack wants in the environment. memory: limit in bytes, None for all.
    """

    image: str
    command: tuple[str, ...]
    volume: str
    labels: Mapping[str, str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    runtime: str | None = None
    gpus: bool = False
    user: str | None = None
    groups: tuple[str, ...] = ()
    memory: int | None = None
    entrypoint: tuple[str, ...] | None = None
    emulated: bool = False  # another processor's image is meant
    keep_tactics: bool = False  # mount what earlier runs timed while they built engines

    def arguments(self) -> dict[str, object]:
        """Return what the SDK's `containers.create` takes: nothing but volumes and memory can be written."""
        environment = {**(NVIDIA if self.runtime == "nvidia" else {}), **self.environment}
        volumes = {DATA: self.volume}
        if self.keep_tactics:
            environment["ORBITBENCH_TIMING_CACHE"] = TACTICS
            volumes[TACTICS] = TACTICS_VOLUME
        requests = (
            [DeviceRequest(count=-1, capabilities=[["gpu", "compute", "utility"]])] if self.gpus else None
        )
        return {
            "image": self.image,
            "command": list(self.command),
            "entrypoint": list(self.entrypoint) if self.entrypoint else None,
            "environment": environment,
            "labels": dict(self.labels),
            "runtime": self.runtime,
            "device_requests": requests,
            "user": self.user,
            "group_add": list(self.groups),
            "mem_limit": self.memory,
            "mounts": [Mount(place, volume, type="volume") for place, volume in volumes.items()],
            "working_dir": DATA,
            "network_mode": "none",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "tmpfs": {"/tmp": "rw,nosuid,nodev,size=256m,mode=1777"},  # noqa: S108 - the container's
            "pids_limit": 512,
            "log_config": LogConfig(type="json-file", config={"max-size": "64m", "max-file": "1"}),
        }


@dataclasses.dataclass(frozen=True)
class State:
    """A container as the engine describes it, corrected by the boot id: a power cut leaves old words behind.

    status: created, running, exited, dead ... or "lost" when the board started again since it was running.
    exit_code is None while it runs, before it has run, and where it was lost.
    """

    status: str
    exit_code: int | None
    out_of_memory: bool
    error: str
    labels: Mapping[str, str]
    started: str
    finished: str
    rebooted: bool

    @property
    def running(self) -> bool:
        """Does it work right now?"""
        return self.status == "running"
