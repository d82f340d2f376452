"""From one look at a board to its entry in devices.yaml."""

import os
import tempfile
import textwrap
from pathlib import Path

import yaml

from bench.manifests import reader, search_path
from orchestrate.devices import Device, Devices, load_devices
from orchestrate.doctor import probe, visit
from orchestrate.engine.connection import Engine
from orchestrate.errors import BadInput

IMAGE_OF_L4T = {35: "jetson-xavier", 36: "jetson-orin"}  # by major release; r32 depends on the board
EMPTY = "schema: 1\ndevices:\n"  # the beginning of a first file of one's own
MACHINES = ("aarch64", "x86_64")


def need_valid(name: str, host: str) -> None:
    """Refuse a name or host that devices.yaml would refuse, before anything is asked."""
    text = yaml.safe_dump({"devices": {name: {"host": host, "image": "cpu", "backend": "onnxruntime"}}})
    try:
        reader.parse(text, Devices, "devices add")
    except reader.ManifestError as error:
        what = "; ".join(problem.message for problem in error.problems)
        raise BadInput(f"devices add: {what}") from None


def look(host: str) -> probe.Facts:
    """Probe the machine behind `host` over ssh. Raises EngineError where it cannot be reached."""
    device = Device.model_validate({"host": host, "image": "cpu", "backend": "onnxruntime"})
    engine = Engine(
        host
    )  # not opened: a board without Docker has an entry too, and the doctor names the lack
    try:
        script = probe.script(visit.DEFAULT_ROOT, device)
        return probe.facts(engine.run(["sh", "-s"], timeout=visit.PROBE_SECONDS, stdin=script).out)
    finally:
        engine.close()


def entry(host: str, facts: probe.Facts) -> dict[str, object]:
    """Return the entry for a board of those facts. Raises BadInput where no image of ours fits it."""
    machine = facts.kernel.rpartition(" ")[2]
    if machine not in MACHINES or facts.bits == 32:
        what = f"{machine or 'no machine we know'}{' with a 32-bit system' if facts.bits == 32 else ''}"
        raise BadInput(f"{host} is {what}: images are made for arm64 and amd64 systems of 64 bits")
    found: dict[str, object] = {"description": _described(facts), "host": host}
    if facts.l4t:
        return found | _jetson(host, facts, facts.l4t)
    return found | (_gpu() if facts.gpus and machine == "x86_64" else _cpu(facts))


def _described(facts: probe.Facts) -> str:
    """Return the board's own name of itself, else its kernel."""
    words = (facts.model or facts.kernel).split()
    text = " ".join("".join(c for c in word if c.isprintable()) for word in words)[:100]
    return f"{text}, L4T r{facts.l4t[0]}.{facts.l4t[1]}" if facts.l4t else text


def _jetson(host: str, facts: probe.Facts, l4t: tuple[int, int]) -> dict[str, object]:
    """Return the keys of a Jetson: its image by the L4T release, the power mode that it has now."""
    xavier = "xavier" in facts.model.lower()
    image = IMAGE_OF_L4T.get(l4t[0])
    if l4t[0] >= 38 and "thor" in facts.model.lower():  # r39 serves Orins too, with other engines
        image = "jetson-thor"
    if l4t >= (32, 7) and l4t[0] == 32:
        image = "jetson-xavier-r32" if xavier else "jetson-tx2"
    if image is None:
        known = "r32.7, " + ", ".join(f"r{major}" for major in IMAGE_OF_L4T) + ", r38 of a Thor"
        raise BadInput(f"{host} has L4T r{l4t[0]}.{l4t[1]}, for which there is no image (known: {known})")
    found: dict[str, object] = {"image": image, "runtime": "nvidia", "backend": "tensorrt"}
    # a TX2's GPU (and a Nano's, a TX1's) has no fast INT8
    found["precisions"] = ["fp32", "fp16"] if image == "jetson-tx2" else ["fp32", "fp16", "int8"]
    found["threads"] = [0]
    return found | ({"power": "jetson", "power_mode": facts.power_mode} if facts.power_mode else {})


def _gpu() -> dict[str, object]:
    """Return the keys of an x86 machine with an NVIDIA GPU."""
    found: dict[str, object] = {"image": "tensorrt", "gpus": True, "backend": "tensorrt"}
    return found | {"precisions": ["fp32", "fp16", "int8"], "threads": [0]}


def _cpu(facts: probe.Facts) -> dict[str, object]:
    """Return the keys of a board without a GPU of ours; a governor is set where it has one."""
    found: dict[str, object] = {"image": "cpu", "backend": "onnxruntime", "threads": [1, 4]}
    return found | ({"power": "governor", "power_mode": "performance"} if facts.governors else {})


def text_of(name: str, found: dict[str, object]) -> str:
    """Return the entry as devices.yaml has it, below `devices:`."""
    plain = yaml.safe_dump(
        {name: found}, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    return textwrap.indent(plain, "  ")


def users_file() -> Path:
    """Return where the user's devices are, or will be: never the file inside an installed package."""
    own, config, _ = (folder / "devices.yaml" for folder in search_path.folders())
    return own if own.is_file() else config


def write(path: Path, name: str, text: str) -> None:
    """Add an entry at the end of the file, which is made where there is none; it extends what we ship.

    Raises BadInput, the file unchanged, for a name that is taken and where the result cannot be read.
    """
    there = path.read_text() if path.is_file() else EMPTY
    before = load_devices(path) if path.is_file() else {}
    if name in before:
        raise BadInput(f"{path} has a device {name} already: take another name, or edit that entry")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".devices-") as folder:
        new = Path(folder) / path.name
        new.write_text(f"{there.rstrip()}\n\n{text}" if before else there + text)
        try:
            added = load_devices(new).keys() - before.keys()
        except BadInput as error:
            raise BadInput(f"{path} cannot be extended by itself: paste the entry ({error})") from error
        if added != {name}:
            raise BadInput(f"{path} does not end with its devices: paste the entry below `devices:`")
        os.replace(new, path)
