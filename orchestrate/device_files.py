"""Which devices there are: `local`, those that come with the program, the user's and the project's.

An entry of a nearer file replaces the whole entry of its name in a farther one. Nearest first:
`manifests/devices.yaml` of the current folder, `~/.config/orbitbench/devices.yaml`, what comes with the
program, `local`. A file that is named (`--devices`, ORBITBENCH_DEVICES) is the only one, with `local`.
"""

from pathlib import Path

from bench.manifests import search_path
from orchestrate.devices import Device, load_devices

NAME = "devices.yaml"
LOCAL = Device.model_validate(
    {"description": "this machine, without Docker", "transport": "process", "backend": "onnxruntime"}
)


def files(given: Path | None = None) -> list[Path]:
    """Return the files that count, nearest first; in a checkout two names may lead to the same one."""
    if given:
        return [given]
    there = [path for folder in search_path.folders() if (path := folder / NAME).is_file()]
    return list({path.resolve(): path for path in reversed(there)}.values())[::-1]


def known(given: Path | None = None) -> dict[str, Device]:
    """Return every device by name; BadInput lists the mistakes of the first file that has any."""
    found = {"local": LOCAL}
    for path in reversed(files(given)):
        found |= load_devices(path)
    return found


def own(given: Path | None = None) -> dict[str, Device]:
    """Return the devices of the user's own files, `local` left out; where there are none, every other one."""
    every = known(given)
    written = [load_devices(path).keys() for path in files(given) if given or not is_shipped(path)]
    names = set().union(*written) or every.keys()
    return {name: device for name, device in every.items() if name in names and name != "local"}


def is_shipped(path: Path) -> bool:
    """Return whether a file came with the program."""
    return path.resolve() == (search_path.SHIPPED / NAME).resolve()


def origin(given: Path | None = None) -> dict[str, str]:
    """Return the name of each device -> where its entry is, for people."""
    found = {"local": "built in"}
    for path in reversed(files(given)):
        where = "shipped" if is_shipped(path) else str(path).replace(str(Path.home()), "~", 1)
        found |= dict.fromkeys(load_devices(path), where)
    return found


def named(given: Path | None = None) -> str:
    """Return the files for messages, such as `manifests/devices.yaml`; ours is left out beside others."""
    found = files(given)
    others = [path for path in found if not is_shipped(path)]
    return ", ".join(map(str, others or found)) or NAME
