"""A process of its own without a new interpreter's seconds: importing torch takes 3, an optimiser 2 more."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.record.parent_process import die_with


@contextmanager
def started(folder: Path, call: Callable[..., object], *args: object) -> Iterator[BaseProcess]:
    """A process at `call`, which writes to `out` and `err` in `folder`; it has ended when the block has.

    A fork of this process. Where torch sees a GPU it is a new interpreter: autograd refuses to run in a fork.
    """
    import torch

    how = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    process = how.Process(target=_run, args=(os.getpid(), folder, call, args), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def ended(process: BaseProcess, patience: float) -> int:
    """Its exit code, or minus the signal; the test fails where it has not ended after `patience` seconds."""
    process.join(patience)
    assert process.exitcode is not None, f"still at work after {patience} s"
    return process.exitcode


def bench(*words: str) -> None:
    """The command `bench` with `words`."""
    from bench.cli import main

    sys.argv = ["bench", *words]
    main()


def _run(parent: int, folder: Path, call: Callable[..., object], args: tuple[object, ...]) -> None:
    die_with(parent)
    import torch

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pytest's own handlers are not the command's
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    torch.set_num_threads(1)
    call(*args)
