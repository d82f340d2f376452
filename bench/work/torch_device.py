"""The device that torch computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.errors import InputError, JobError

if TYPE_CHECKING:
    import torch


class DeviceFailedError(JobError):
    """A device ran out of memory, or failed at work; the text states what to do."""


def use_device(device: str) -> torch.device:
    """Return `device`, on which this process computes the same bits from the same seed; InputError where
    torch cannot use it.

    Left alone, cuDNN takes convolutions whose sums come in any order, and computes fp32 in TF32, of 10 bits:
    two trainings of one seed then differed after 20 minibatches on an H100.
    """
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"device {device!r} cannot be used: {reason}; give cpu, or cuda or cuda:N where torch sees a GPU"
        ) from None
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(device)


@contextmanager
def at_work(device: str) -> Iterator[None]:
    """Compute on `device`: what it fails at is a DeviceFailedError; the last checkpoint stays."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError) as error:
        words = str(error).splitlines()[0].partition(". ")[0]
        full = isinstance(error, torch.OutOfMemoryError)
        advice = (
            "close what else uses it, or take a smaller batch" if full else "look at dmesg for its faults"
        )
        raise DeviceFailedError(
            f"{device}: {words}; {advice}. The same command goes on from the last checkpoint"
        ) from None
