"""Where manifests of every kind are found: in the user's `manifests/` first, then in what we ship."""

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "manifests"


def folders(kind: str) -> tuple[Path, ...]:
    """The folders of one kind of manifest (`experiments`, `scaling`, ...), the user's first."""
    return (Path("manifests") / kind, SHIPPED / kind)


def file(name: str) -> Path:
    """The user's `manifests/NAME` where it exists, else the one that the project ships."""
    own = Path("manifests") / name
    return own if own.is_file() else SHIPPED / name
