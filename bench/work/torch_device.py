"""The device that torch computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.errors import InputError

if TYPE_CHECKING:
    import torch


def check_device(device: str) -> torch.device:
    """Return `device` if torch can use it; InputError otherwise."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"device {device!r} cannot be used: {reason}; give cpu, or cuda or cuda:N where torch sees a GPU"
        ) from None
    return torch.device(device)
