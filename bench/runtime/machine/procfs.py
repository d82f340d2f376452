"""Reading small files of /proc and /sys that may not be there."""

import glob
from typing import List, Optional


def read_text(path: str) -> Optional[str]:
    """Return the whole text, or None where it cannot be read: absent, forbidden, or a sensor that answers
    with an error."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def read_int(path: str, base: int = 10) -> Optional[int]:
    """Return one integer, or None where there is none."""
    text = read_text(path)
    try:
        return None if text is None else int(text.strip(), base)
    except ValueError:
        return None


def matching_paths(pattern: str) -> List[str]:
    """Return the paths that match, sorted."""
    return sorted(glob.glob(pattern))
