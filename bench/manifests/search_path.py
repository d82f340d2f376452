"""Where manifests of every kind are found: in the user's folders first, then in what the project ships.

In order: `manifests/` of the current folder, `orbitbench/` below $XDG_CONFIG_HOME (or ~/.config), and the
shipped ones: in a wheel they are package data, in a checkout its own `manifests/`. A file hides those of the
same name in later folders. Commands write to `own()` only, never to what is shipped: in a checkout, whose
`manifests/` is both, that is the folder below ~/.config.
"""

import os
from pathlib import Path

OWN = Path("manifests")
_PACKAGED = Path(__file__).resolve().parent / "shipped"
SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "manifests"


def folders() -> tuple[Path, ...]:
    """Return the folders that are searched, in their order; some may be missing."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return (OWN, Path(config) / "orbitbench", SHIPPED)


def own() -> Path:
    """Return the user's folder that commands write to."""
    present, config, shipped = folders()
    return present if present.resolve() != shipped.resolve() else config


def _ordered() -> list[Path]:
    """The folders that are searched, what is shipped last, also where it is the current folder's."""
    *users, shipped = folders()
    return [*(folder for folder in users if folder.resolve() != shipped.resolve()), shipped]


def file(name: str) -> Path:
    """Return the first `name`, such as `devices.yaml`, of the search path; else where it would be shipped."""
    found = (folder / name for folder in _ordered() if (folder / name).is_file())
    return next(found, SHIPPED / name)


def files(kind: str) -> dict[str, Path]:
    """Return the YAML files of one kind (`experiments`, `scaling`, ...): name -> path."""
    return {path.stem: path for folder in reversed(_ordered()) for path in _yaml(folder / kind)}


def every_file(kind: str) -> list[Path]:
    """Return the YAML files of one kind in all folders, none hidden, the user's first."""
    found = (path for folder in _ordered() for path in _yaml(folder / kind))
    return list({path.resolve(): path for path in found}.values())


def _yaml(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))
