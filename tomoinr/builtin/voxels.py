"""The plainest volume: one number a voxel, trilinear between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability, Volume
from tomoinr.options import option


class Voxels(Volume):
    """Densities on a lattice; zero outside the box."""

    name = "voxels"
    abilities = frozenset({Ability.LINEAR})
    rate = 0.03

    @dataclass(frozen=True)
    class Options:
        """Options of the voxel volume."""

        start: float = option(0.0, "density every voxel starts with, in units of the typical one")

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        self.values = nn.Parameter(torch.full((channels, *grid.shape), options.start))

    def density(self, points: Tensor) -> Tensor:
        """Trilinear interpolation at (..., 3) in Å: (..., channels)."""
        ny, nz, nx = self.grid.shape
        centre = points.new_tensor(self.grid.centre)
        # grid_sample's -1 and 1 are the first and last voxel centres; an axis of one voxel has
        # both in one place, so it is padded to three, with zeros on either side.
        pad = [1 if n == 1 else 0 for n in (nx, nx, nz, nz, ny, ny)]
        values = functional.pad(self.values, pad)
        sizes = points.new_tensor([max(n, 3) if n == 1 else n for n in (nx, nz, ny)])
        xzy = (points - centre)[..., [0, 2, 1]] / (self.grid.spacing * (sizes - 1) / 2)
        flat = xzy.reshape(1, 1, 1, -1, 3).to(values.dtype)
        sampled = functional.grid_sample(values[None], flat, align_corners=True)
        return sampled.reshape(self.channels, -1).T.reshape(*points.shape[:-1], self.channels)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """The voxels themselves, or interpolated on another lattice: (channels, slices, z, x)."""
        if grid == self.grid:
            return self.values if slices is None else _of(self.values, slices)
        return self.density(grid.points(slices, self.values.device)).movedim(-1, 0)


def _of(values: Tensor, slices: Tensor) -> Tensor:
    """Some slices; not a copy, if they follow each other (to know takes long on a GPU)."""
    if slices.device.type == "cpu" and len(slices):
        first, count = int(slices[0]), len(slices)
        if first >= 0 and torch.equal(slices, torch.arange(first, first + count)):
            return values[:, first : first + count]
    return values[:, slices]
