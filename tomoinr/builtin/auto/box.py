"""Where the volume is: on finer voxels, or in a larger box than the one that was asked for."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.relocated import class_of
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid
from tomoinr.interfaces import Projector

CUT_OFF = 0.1  # of the images' mean: what whole specimens leave less of at the first column
ROOM = 1 / 3  # of the width, added on either side of x and z


def beyond(series: TiltSeries) -> float:
    """Brightness of the columns at the left and right edges, relative to the images' mean."""
    bright = series.images.abs()
    edges = bright[..., :2].mean() + bright[..., -2:].mean()
    return float(edges / 2 / bright.mean())


def roomy(grid: Grid) -> Grid:
    """A box with room for what lies beside the field of view and is seen in tilted images."""
    rows, deep, wide = grid.shape
    room = round(ROOM * wide)
    return replace(grid, shape=(rows, deep + 2 * room, wide + 2 * room))


def sharper(projector: Projector) -> Projector:
    """The same projector with its sharpest interpolation, where it has a choice."""
    if not any(field.name == "warp" for field in fields(projector.options)):
        return projector
    options = replace(projector.options, warp="bicubic")
    made: Projector = class_of(projector)(options, projector.grid)
    return made


def spread(voxels: Tensor, finer: int) -> Tensor:
    """Voxels (channels, y, z, x), each divided into finer ones of the same density."""
    for dim in (1, 2, 3) if finer > 1 else ():
        voxels = voxels.repeat_interleave(finer, dim)
    return voxels


def gathered(fine: Tensor, shape: torch.Size) -> Tensor:
    """Voxels (channels, y, z, x) of the size that was asked for: means, then the middle."""
    finer = fine.shape[1] // shape[1]
    values = functional.avg_pool3d(fine, finer) if finer > 1 else fine
    for dim in (2, 3):
        values = values.narrow(dim, (values.shape[dim] - shape[dim]) // 2, shape[dim])
    return values
