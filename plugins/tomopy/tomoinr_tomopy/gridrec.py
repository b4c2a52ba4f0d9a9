"""TomoPy's gridrec, its frame and its scale made those of its other algorithms.

On phantoms its rotation axis lies half a pixel before `center`; its volume is turned about the
middle of a voxel, `n // 2`, whatever the size; images as wide as the specimen wrap around; and a
density of one comes out as 1.115, at any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr_tomopy.recon import Axis, improve

SCALE = 1.115


def gridrec(
    algorithm: str,
    images: Tensor,
    voxels: Tensor,
    axis: Axis,
    pixel: float,
    arguments: Mapping[str, Any],
) -> None:
    """Images [view, row, column] → voxels [row, z, x], in place."""
    columns, (_, depth, width) = images.shape[2], voxels.shape
    theta = torch.from_numpy(axis.theta)
    moved = _off(width) * theta.cos() + _off(depth) * theta.sin()
    before = columns // 2
    wide = Axis(axis.theta, axis.centre + before - 0.5)
    improve(algorithm, _moved(images, moved, before), voxels, wide, pixel, arguments)
    voxels *= _covered(theta) / SCALE


def _off(size: int) -> float:
    """From the voxel that gridrec turns about to the middle of the box."""
    return (size - 1) / 2 - (size + 1) // 2


def _moved(images: Tensor, columns: Tensor, before: int) -> Tensor:
    """Each image moved along its rows, and twice as wide: its edges go on."""
    width = images.shape[2]
    wide = functional.pad(images, (before, width - before), mode="replicate")
    turn = torch.outer(columns, torch.fft.rfftfreq(2 * width))[:, None]
    phases = torch.polar(torch.ones_like(turn), -2 * torch.pi * turn)
    return torch.fft.irfft(torch.fft.rfft(wide) * phases, n=2 * width)


def _covered(theta: Tensor) -> float:
    """The part of 180° that the views stand for; gridrec takes it for all."""
    span = float(theta.max() - theta.min())
    return min(1.0, span * len(theta) / (len(theta) - 1) / torch.pi)
