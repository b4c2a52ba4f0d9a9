"""Blurred images, a few after the other, so that what it takes stays small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WIDTH = 1.5  # pixels: enough to tame the noise in a variance, less than a specimen's detail
TOGETHER = 1 << 19  # pixels of images at a time, about


def smooth(images: Tensor, width: float = WIDTH) -> Tensor:
    """Gaussian blur of (tilts, rows, columns), `width` in pixels; borders repeat."""
    out = torch.empty_like(images)
    for some, done in zip(_split(images), _split(out), strict=True):
        done.copy_(_smooth(some, width))
    return out


def contrasts(images: Tensor) -> Tensor:
    """Standard deviation of each image (tilts, rows, columns), once noise is tamed: (tilts,)."""
    return torch.cat([_smooth(some, WIDTH).std((1, 2)) for some in _split(images)])


def _split(images: Tensor) -> tuple[Tensor, ...]:
    return images.split(max(1, TOGETHER // max(1, images[0].numel())))


def _smooth(images: Tensor, width: float) -> Tensor:
    reach = int(3 * width + 0.5)
    x = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    bell = torch.exp(-0.5 * (x / width) ** 2)
    bell = bell / bell.sum()
    out = functional.pad(images[:, None], (reach,) * 4, mode="replicate")
    out = functional.conv2d(out, bell[None, None, None, :])
    return functional.conv2d(out, bell[None, None, :, None])[:, 0]
