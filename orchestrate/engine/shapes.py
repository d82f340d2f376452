"""Parts of an engine's answers, taken only where they have the shape that Docker gives them.

Raises TypeError otherwise, which `Engine.errors` makes a BadAnswer of.
"""

from typing import Any

TEXT_CHARACTERS = 4096


def text(value: object) -> str:
    """Return a string of bearable length."""
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS:
        raise TypeError(f"{_shown(value)} where a short text is due")
    return value


def count(value: object) -> int:
    """Return a whole number of at least 0, in 64 bits."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{_shown(value)} where a count is due")
    return value


def mapping(value: object) -> dict[str, Any]:
    """Return an object; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{_shown(value)} where an object is due")
    return value


def labels(value: object) -> dict[str, str]:
    """Return an object of short texts; null is an empty one."""
    return {text(key): text(item) for key, item in mapping(value).items()}


def texts(value: object) -> tuple[str, ...]:
    """Return a list of short texts; null is an empty one."""
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{_shown(value)} where a list is due")
    return tuple(text(item) for item in value or ())


def _shown(value: object) -> str:
    """Return the beginning of a value, for a message."""
    return f"{str(value)[:40]!r}" if isinstance(value, (str, int, float)) else type(value).__name__
