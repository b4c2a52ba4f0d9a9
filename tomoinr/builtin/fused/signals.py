"""The channels of a problem, each by itself: its own tilts, its own pixels, one volume's voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.fused.counts import Counting
from tomoinr.builtin.linear import LinearMap
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Team


@dataclass(frozen=True, eq=False)
class Signal:
    """A channel's counts, and the matrix from densities (in noise of a pixel) to them.

    `size` counts a pixel of depth are density one; expected counts are size · Ax + background.
    """

    map: LinearMap
    counting: Counting
    counts: Tensor  # this rank's pixels: (1, views, rows, columns), background included
    size: float
    seen: Tensor  # Aᵀ1: (1, y, z, x)
    rows: Tensor  # A1

    def expected(self, voxels: Tensor) -> Tensor:
        """Counts, for densities (1, y, z, x)."""
        return self.map.forward(voxels) * self.size + self.counting.background


def alone(problem: Problem, channel: int, grid: Grid | None = None) -> Problem:
    """The problem of one channel: its images, poses held, empty voxels of their own."""
    grid, series = grid or problem.grid, problem.series.channel(channel)
    some, poses = problem.series.views_of(channel), problem.poses().to(problem.series.images.device)
    held = Fixed(NoOptions(), poses.some(some), grid)
    volume = Voxels(Voxels.Options(), grid, 1).to(series.images.device)
    scale = torch.as_tensor(problem.scale).flatten()
    return replace(
        problem,
        series=series,
        grid=grid,
        volume=volume,
        poses=held.to(series.images.device),
        projector=problem.projector.on(grid),
        scale=float(scale[min(channel, len(scale) - 1)]),
    )


def signal(problem: Problem, team: Team, counting: Counting, pixel: float) -> Signal:
    """Of the problem of one channel; lengths in units of `pixel` (Å), the same for all."""
    matrix = LinearMap(problem, team, pixel, whole=True)
    images = problem.series.images
    counts = counting.counts(images)
    # Of a pixel that shows the specimen: the mean count that a count finds in its own pixel.
    shown = counts - counting.background
    bright = float(shown.square().sum() / shown.sum().clamp(min=1e-30)) - 1
    size = (max(bright, float(shown.mean()), 1e-6) + counting.background) ** 0.5
    seen = matrix.adjoint(torch.ones_like(matrix.data))
    rows = matrix.forward(torch.ones_like(seen))
    return Signal(matrix, counting, matrix.share(counts), size, seen, rows)
