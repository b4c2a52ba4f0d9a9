"""Where specimens stand and where they land: the geometry that projectors are tried on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tomoinr.geometry import Grid, Poses, Views, place

SPACING = 2.5
GRID = Grid((23, 24, 26), SPACING)


def some_poses(tilted_axis: bool, count: int = 6) -> Poses:
    """Random tilts, in-plane rotations, shifts of up to two pixels, and tilts of the axis."""
    tilt, rotation, out = (2 * torch.rand(3, count) - 1) * torch.tensor([[65.0], [25.0], [8.0]])
    shift = (2 * torch.rand(count, 2) - 1) * 2 * SPACING
    return Poses.of(tilt, rotation, out if tilted_axis else 0.0, shift)


def seen_by(grid: Grid, poses: Poses) -> Views:
    """The poses with images as wide and high as the grid."""
    return place(poses, (len(poses.shift), grid.shape[0], grid.shape[2]), grid.spacing)


def centroids(images: Tensor) -> Tensor:
    """Centres of mass (views, 2) as (column, row), in pixels from the middle."""
    mass = images.sum((1, 2))
    rows, columns = (torch.arange(n) - (n - 1) / 2 for n in images.shape[1:])
    across, along = (images.sum(1) * columns).sum(1), (images.sum(2) * rows).sum(1)
    return torch.stack((across, along), 1) / mass[:, None]


def landing(at: Tensor, tilt: Tensor, rotation: Tensor, out: Tensor) -> Tensor:
    """Where a point lands before the shift, in sines and cosines alone: (views, 2)."""
    x, y, z = at
    t, r, o = (angle * math.pi / 180 for angle in (tilt, rotation, out))
    u = x * t.cos() - z * t.sin()
    v = y * o.cos() - (x * t.sin() + z * t.cos()) * o.sin()
    return torch.stack((u * r.cos() - v * r.sin(), u * r.sin() + v * r.cos()), 1)
