"""Specimens whose line integrals are known by formula."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

from tomoinr.geometry import Grid, Rays
from tomoinr.interfaces import Volume


class Gaussians(Volume):
    """Gaussian blobs: centres (N, 3) and width in Å, weights (N, channels)."""

    name = "gaussians"

    def __init__(self, grid: Grid, centres: Tensor, width: float, weights: Tensor) -> None:
        super().__init__()
        self.grid, self.centres, self.width, self.weights = grid, centres, width, weights
        self.channels = weights.shape[1]

    def density(self, points: Tensor) -> Tensor:
        """The blobs at points (..., 3), added up."""
        return self._add_up((points[..., None, :] - self.centres).square().sum(-1))

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """The density at voxel centres."""
        return self.density(grid.points(slices)).movedim(-1, 0)

    def integral(self, rays: Rays) -> Tensor:
        """The exact line integrals: (channels, ...)."""
        total = self._add_up(_squared_distance(rays, self.centres))
        return total.movedim(-1, 0) * self.width * math.sqrt(2 * math.pi)

    def _add_up(self, squares: Tensor) -> Tensor:
        return torch.exp(-squares / (2 * self.width**2)) @ self.weights


class Ball(Volume):
    """A ball of density one: centre (3,) and radius in Å."""

    name = "ball"
    channels = 1

    def __init__(self, grid: Grid, centre: Tensor, radius: float) -> None:
        super().__init__()
        self.grid, self.centre, self.radius = grid, centre, radius

    def density(self, points: Tensor) -> Tensor:
        """One inside."""
        return ((points - self.centre).norm(dim=-1, keepdim=True) < self.radius).float()

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """The part of each voxel that is inside."""
        steps = [(i - 1.5) / 4 * grid.spacing for i in range(4)]
        points = grid.points(slices)
        inner = [
            self.density(points + points.new_tensor(step)) for step in product(steps, repeat=3)
        ]
        return torch.stack(inner).mean(0).movedim(-1, 0)

    def integral(self, rays: Rays) -> Tensor:
        """The exact chords: (1, ...)."""
        squares = _squared_distance(rays, self.centre[None])[..., 0]
        return 2 * (self.radius**2 - squares).clamp(min=0).sqrt()[None]


def _squared_distance(rays: Rays, centres: Tensor) -> Tensor:
    """From each ray (...) to each centre (N, 3), squared: (..., N)."""
    away = centres - rays.origin[..., None, :]
    along = (away * rays.direction[..., None, :]).sum(-1)
    return away.square().sum(-1) - along.square()


def blobs(grid: Grid, width: float = 2.0) -> Gaussians:
    """Four blobs in two channels, without symmetry, well inside the box; width in voxels."""
    places = torch.tensor(
        [[0.15, -0.1, 0.1], [-0.14, 0.1, 0.0], [0.05, 0.15, -0.1], [0.0, 0.0, 0.0]]
    )
    weights = torch.tensor([[1.0, 0.2], [0.6, 0.8], [0.4, 1.0], [0.8, 0.0]])
    return Gaussians(grid, places * torch.tensor(grid.extent), width * grid.spacing, weights)
