"""Augmentation of whole batches on the device that holds them; random only through the generator given."""

from math import pi

import torch
from torch.nn.functional import affine_grid, grid_sample, pad


def crop(images: torch.Tensor, border: int, generator: torch.Generator) -> torch.Tensor:
    """Return each of N x C x H x W images shifted by up to `border` pixels either way, zeros coming in."""
    if border == 0:
        return images
    n, _, height, width = images.shape
    rows, columns = torch.randint(2 * border + 1, (2, n), generator=generator).to(images.device)
    windows = (
        pad(images, (border,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    )  # views: every crop there is
    return windows[torch.arange(n, device=images.device), :, rows, columns]


def flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return each image mirrored left to right with probability one half."""
    mirrored = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def rotate(images: torch.Tensor, degrees: float, generator: torch.Generator) -> torch.Tensor:
    """Return each of N x C x H x W float images turned by up to `degrees` either way, zeros coming in."""
    if degrees == 0:
        return images
    angles = (torch.rand(len(images), generator=generator) * 2 - 1).to(images.device) * (degrees * pi / 180)
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    matrices = torch.stack((cos, -sin, zero, sin, cos, zero), 1).view(-1, 2, 3)
    grid = affine_grid(matrices, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
