"""Dropping files from the page cache without privileges, and looking whether that worked."""

import ctypes
import mmap
import os
from typing import Iterable, List

GONE = 0.01  # share of a file's pages that may be left for it to count as dropped


def drop(paths: Iterable[str]) -> bool:
    """Ask the kernel to forget the files' clean pages; True where it did, as far as it lets us see."""
    gone = [_dropped(path) for path in paths]  # every one, also after one that stays
    return all(gone)


def _dropped(path: str) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.fsync(handle)  # a dirty page is not dropped
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        return _resident(handle) <= GONE
    except (OSError, ValueError, AttributeError):
        return False
    finally:
        os.close(handle)


def _resident(handle: int) -> float:
    """Share of the file's pages in memory; 1 of a file that is not ours to write (mincore(2))."""
    size = os.fstat(handle).st_size
    if not size:
        return 0.0
    pages = -(-size // mmap.PAGESIZE)
    found = (ctypes.c_ubyte * pages)()
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    library.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    place = library.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    if place is None or place == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    try:
        if library.mincore(place, size, found):
            raise OSError(ctypes.get_errno(), "mincore")
    finally:
        library.munmap(place, size)
    return sum(byte & 1 for byte in found) / float(pages)


def files_below(folder: str) -> List[str]:
    """Return every file in `folder`, at any depth."""
    return [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
