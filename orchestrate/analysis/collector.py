"""Python's collector of cyclic garbage, out of the way of work that makes objects by the million."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Let no cyclic garbage be collected in the block; also a decorator.

    Records and tables hold hardly a cycle, but each full collection looks at all of them: a quarter of the
    time that a report of 10,000 records takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
