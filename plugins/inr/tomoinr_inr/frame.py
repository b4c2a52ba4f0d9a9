"""Coordinates as networks like them: the longest edge of the box runs from -1 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tomoinr.geometry import Grid, positions

EDGE = 1e-5  # of the box: what rounding may push a point on its surface outwards


class Axes(NamedTuple):
    """The coordinates of a lattice, one tensor (n,) an axis."""

    x: Tensor
    y: Tensor
    z: Tensor


@dataclass(frozen=True)
class Frame:
    """A box by its centre (Å), half its longest edge (Å), and its half edges in units of that.

    One scale for all three axes, so that a network's frequencies are the same in every direction.
    """

    centre: tuple[float, float, float]
    scale: float
    half: tuple[float, float, float]

    @classmethod
    def of(cls, grid: Grid) -> Frame:
        """The frame of a grid's box."""
        x, y, z = grid.extent
        longest = max(x, y, z)
        return cls(grid.centre, longest / 2, (x / longest, y / longest, z / longest))

    def points(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points (n, 3) in Å → coordinates (3, n) moved into the box, and which lay in it (n,)."""
        unit = ((points - points.new_tensor(self.centre)) / self.scale).T
        half = unit.new_tensor(self.half)[:, None]
        inside = (unit.abs() <= half * (1 + EDGE)).all(0)
        return torch.minimum(torch.maximum(unit, -half), half), inside

    def lattice(
        self, grid: Grid, slices: Tensor | None, device: torch.device
    ) -> tuple[Axes, Tensor]:
        """Some slices of a lattice → its axes, and which of its points lie in the box (y, z, x)."""
        ny, nz, nx = grid.shape
        indices = (None, slices, None)
        axes, masks = [], []
        for axis, (n, index) in enumerate(zip((nx, ny, nz), indices, strict=True)):
            at = positions(n, grid.spacing, index).to(device, torch.float32)
            unit = (at + (grid.centre[axis] - self.centre[axis])) / self.scale
            masks.append(unit.abs() <= self.half[axis] * (1 + EDGE))
            axes.append(unit.clamp(-self.half[axis], self.half[axis]))
        x, y, z = masks
        return Axes(*axes), y[:, None, None] & z[:, None] & x
