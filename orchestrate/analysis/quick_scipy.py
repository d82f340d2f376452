"""scipy's special functions without what else importing them loads.

On its way scipy copies every name that numpy has, and so loads each part of numpy that waits to be asked for:
a compiler of Fortran, random numbers, polynomials, tests. That takes as long as numpy itself, a fifth of the
time of a small report, and nothing here asks for any of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np


@contextmanager
def _nothing_more_of_numpy() -> Iterator[None]:
    """Let each part of numpy that is not loaded be an empty module in the block; after it, it can be."""
    empty = ModuleType("numpy.not_loaded")
    waiting = set(np.__all__) - set(vars(np))
    for name in waiting:
        setattr(np, name, empty)
    try:
        yield
    finally:
        for name in waiting:
            if getattr(np, name) is empty:  # unless it was loaded after all
                delattr(np, name)


with _nothing_more_of_numpy():
    from scipy import special

__all__ = ["special"]
