"""Judging a board: facts in, verdicts out, each with what to do. Nothing here touches a board."""

import re
import shlex
from collections.abc import Iterator

from orchestrate.devices import Device
from orchestrate.doctor import limits, rights
from orchestrate.doctor.checks import BoardFacts, Check, Level

OLDEST_ENGINE = (20, 10)
CLOCK_SECONDS = 5.0
BUSY_SHARE = 0.10
CSV_FOLDER = "/etc/nvidia-container-runtime/host-files-for-container.d"
MEMORY_CGROUP = (
    "add `cgroup_enable=memory` to the one line of /boot/firmware/cmdline.txt "
    "(before bookworm: /boot/cmdline.txt) and reboot"
)


def _engine(patient: BoardFacts) -> Iterator[Check]:
    """Is its version one that we speak?"""
    if (info := patient.info) is None:
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", info.version)[:2])
    text = f"Docker {info.version} (API {info.api})"
    if numbers < OLDEST_ENGINE:
        yield Check("engine", "fail", text, "install Docker 20.10 or newer")
    else:
        yield Check("engine", "ok", text)


def _architecture(patient: BoardFacts) -> Iterator[Check]:
    """Is there an image for its processor?"""
    if (info := patient.info) is None or not patient.image_platforms:
        return
    mine, made_for = f"linux/{info.architecture}", ", ".join(patient.image_platforms)
    if info.architecture in ("arm64", "amd64") and (
        patient.facts.bits == 32 or info.programs in ("arm", "386")
    ):
        yield Check(
            "architecture",
            "fail",
            f"the kernel is {mine}, {limits.PROGRAMS_32_BIT}",
            limits.INSTALL_64_BIT,
        )
    elif mine in patient.image_platforms:
        yield Check("architecture", "ok", mine)
    else:
        yield Check(
            "architecture",
            "fail",
            f"the board is {mine}, image {patient.device.image} is made for {made_for}",
            "name another image in devices.yaml",
        )


def _image(patient: BoardFacts) -> Iterator[Check]:
    """Is the image there already?"""
    if patient.image_present is True:
        yield Check("image", "ok", f"{patient.device.image} is there")
    elif patient.image_present is False:
        name = patient.device.image
        yield Check(
            "image", "warn", f"{name} is not there yet", "the first run brings it, which takes minutes"
        )


def _nvidia(patient: BoardFacts) -> Iterator[Check]:
    """Can containers have the GPU?"""
    if patient.info is None or not (patient.device.gpus or patient.device.runtime == "nvidia"):
        return
    if patient.device.gpus and "nvidia" not in patient.info.runtimes:
        advice = "install nvidia-container-toolkit, `sudo nvidia-ctk runtime configure`, restart docker"
        yield Check("nvidia runtime", "warn", "Docker lists none, unless it gives GPUs by CDI", advice)
    elif "nvidia" in patient.info.runtimes:
        yield Check("nvidia runtime", "ok", "Docker has it")
    else:
        has = ", ".join(patient.info.runtimes)
        advice = "install nvidia-container (JetPack 5) or nvidia-docker2 (JetPack 4) with apt, restart docker"
        yield Check("nvidia runtime", "fail", f"Docker has only {has}", advice)


def _jetpack(patient: BoardFacts) -> Iterator[Check]:
    """Does the board's L4T release run the image's?"""
    want, have = patient.image_l4t, patient.facts.l4t
    if want is None:
        return
    wanted = f"r{want[0]}.{want[1]}"
    if have is None:
        yield Check(
            "jetpack",
            "fail",
            f"/etc/nv_tegra_release is missing, the image wants L4T {wanted}",
            "is this a Jetson with JetPack?",
        )
        return
    matches = _runs(want, have)
    text = f"L4T r{have[0]}.{have[1]}, image for {wanted}"
    if matches:
        yield Check("jetpack", "ok", text)
    else:
        advice = "flash the board with that release, or choose the image of its own"
        yield Check("jetpack", "fail", text, advice)


def _runs(image: tuple[int, int], board: tuple[int, int]) -> bool:
    """Return whether a board with one L4T release runs an image based on another.

    As in the jetson-containers project (l4t_version_compatible): r32.7 and later run r32.7, r35 any r35, r36
    those on its own side of r36.4 (CUDA 12.2 or 12.6). JetPack 7 (r38, r39) is taken to run its own only.
    """
    if board[0] >= 38:
        return image[0] >= 38
    if board[0] == 36:
        return image[0] == 36 and (image[1] >= 4) == (board[1] >= 4)
    if board[0] == 35:
        return image[0] == 35
    return image == (32, 7) if board[0] == 32 and board[1] >= 7 else image == board


def _mounted_libraries(patient: BoardFacts) -> Iterator[Check]:
    """JetPack 4 lends CUDA and TensorRT to containers, by lists of files."""
    if patient.image_l4t is None or patient.image_l4t[0] != 32:
        return
    facts = patient.facts
    missing = [name for name in ("cuda.csv", "cudnn.csv", "tensorrt.csv") if name not in facts.nvidia_csv]
    if missing:
        packages = " ".join(f"nvidia-container-csv-{name.removesuffix('.csv')}" for name in missing)
        advice = f"`sudo apt install {packages}`"
        yield Check("mounted libraries", "fail", f"{CSV_FOLDER} lacks {', '.join(missing)}", advice)
    elif not facts.tensorrt_python:
        advice = "`sudo apt install python3-libnvinfer`"
        yield Check("mounted libraries", "fail", "TensorRT's Python module is not on the board", advice)
    elif not any(line.split(",")[0].strip() == "dir" for line in facts.csv_python):
        line = f"dir, {facts.tensorrt_python[0]}"
        yield Check(
            "mounted libraries",
            "fail",
            "the runtime's lists do not name TensorRT's Python module: containers will not have it",
            f"`echo {shlex.quote(line)} | sudo tee -a {CSV_FOLDER}/tensorrt.csv`",
        )
    else:
        yield Check("mounted libraries", "ok", "CUDA, cuDNN, TensorRT and its Python module")


def _memory_cgroup(patient: BoardFacts) -> Iterator[Check]:
    """Is memory counted per container? Raspberry Pi OS boots without."""
    if patient.info is None:
        return
    if patient.info.memory_limit:
        yield Check("memory cgroup", "ok", f"version {patient.info.cgroup}")
        return
    pi = "Raspberry Pi" in patient.facts.model or "cgroup_disable=memory" in patient.facts.kernel_options
    advice = MEMORY_CGROUP if pi else "boot with `cgroup_enable=memory`"
    yield Check("memory cgroup", "warn", "off: no limits, no memory figures of the container", advice)


def _clock(patient: BoardFacts) -> Iterator[Check]:
    """Does it know what time it is? Figures do not depend on it, downloads and file times do."""
    if patient.skew is None:
        return
    far = abs(patient.skew) > CLOCK_SECONDS
    text = f"{patient.skew:+.0f} s from this machine's" if far else "agrees with this machine's"
    advice = "`sudo timedatectl set-ntp true`; the board may have no battery for its clock"
    yield Check("clock", "warn" if far else "ok", text, advice if far else "")


def _governor(patient: BoardFacts) -> Iterator[Check]:
    """Do the CPU clocks stay where they are?"""
    governors = patient.facts.governors
    if not governors:
        return
    text = ", ".join(governors)
    if governors == ("performance",):
        yield Check("governor", "ok", text)
    elif key := _changes_clocks(patient.device):
        yield Check("governor", "ok", f"{text}; `{key}` of devices.yaml may change it for the run")
    else:
        advice = "`power: governor` in devices.yaml sets `performance` for a run"
        yield Check("governor", "warn", f"{text}: clocks change while we measure", advice)


def _changes_clocks(device: Device) -> str:
    """The key of devices.yaml that may set clocks and modes for a run; '' where none does."""
    return "power" if device.power else "prepare" if device.prepare else ""


def _power_mode(patient: BoardFacts) -> Iterator[Check]:
    """Is a Jetson in the mode that devices.yaml names?"""
    have, want = patient.facts.power_mode, patient.device.power_mode
    if have is None:
        return
    if want is None or have == want:
        yield Check("power mode", "ok", have)
    elif key := _changes_clocks(patient.device):
        yield Check("power mode", "ok", f"{have}; `{key}` of devices.yaml is to set {want}")
    else:
        advice = "`power: jetson` in devices.yaml sets it for a run; `nvpmodel -p --verbose` lists the modes"
        yield Check("power mode", "warn", f"{have}, devices.yaml names {want}", advice)


def _load(patient: BoardFacts) -> Iterator[Check]:
    """Does anything else work there?"""
    share = patient.facts.busy
    if share is not None:
        top = "; ".join(patient.facts.processes)
        text = f"its CPUs are {share:.0%} busy" + (f" ({top})" if share > BUSY_SHARE and top else "")
        level: Level = "warn" if share > BUSY_SHARE else "ok"
        yield Check(
            "load", level, text, "stop it: it will disturb the measurement" if level == "warn" else ""
        )
    if patient.others:
        text = f"other containers run: {', '.join(patient.others)}"
        yield Check("containers", "warn", text, "stop them while you measure")
    if patient.lock_owner:
        run = patient.lock_owner.labels.get("orbitbench.run", "unknown")
        yield Check(
            "lock", "warn", f"held by run {run} ({patient.lock_owner.status})", f"`orchestrate collect {run}`"
        )


def _sudo(patient: BoardFacts) -> Iterator[Check]:
    """Are the commands of a run there, and will root run them without a password?"""
    found = patient.facts.rights
    missing = sorted({right.words[0] for right in found if right.state == "missing"})
    if missing:
        advice = "install them on the board, or correct `power`, `prepare` and `restore` in devices.yaml"
        yield Check("commands", "fail", f"not on the board: {', '.join(missing)}", advice)
    refused = [right for right in found if right.state in ("no", "nosudo")]
    if any(right.state == "nosudo" for right in refused):
        yield Check("sudo", "fail", "sudo is not on the board", "`apt install sudo` there, as root")
    elif refused:
        commands = [right.words for right in found if right.state != "missing"]
        text = ", ".join(shlex.join(right.words) for right in refused)
        yield Check(
            "sudo", "fail", f"wants a password for: {text}", rights.advice(patient.facts.user, commands)
        )
    elif found and not missing:
        yield Check("sudo", "ok", "root runs the commands of a run without a password")


def _limited(patient: BoardFacts) -> Iterator[Check]:
    """Would a run begin there?"""
    return limits.checks(patient.facts, patient.device)


JUDGES = (
    _engine,
    _architecture,
    _image,
    _nvidia,
    _jetpack,
    _mounted_libraries,
    _memory_cgroup,
    _clock,
    _governor,
    _power_mode,
    _limited,
    _load,
    _sudo,
)


def examine(patient: BoardFacts) -> list[Check]:
    """Return all verdicts, in the order in which a person would mend things."""
    return [check for judge in JUDGES for check in judge(patient)]
