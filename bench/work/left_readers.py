"""Who reads our output, or our messages, may leave (`| head`): to whatever is at work that is Ctrl-C."""

import os
import select
import sys


class ReaderLeftError(KeyboardInterrupt):
    """Nobody reads the output any more: the same as Ctrl-C to whatever is at work."""


def discard_output(descriptor: int) -> None:
    """Send the rest of an output to nowhere: what is still to be flushed would raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def discard_unread() -> bool:
    """Discard those of standard output and standard error that nobody reads; return whether there are any."""
    outputs = select.poll()
    outputs.register(sys.stdout, 0)
    outputs.register(sys.stderr, 0)
    unread = [number for number, event in outputs.poll(0) if event & select.POLLERR]
    for number in unread:
        discard_output(number)
    return bool(unread)
