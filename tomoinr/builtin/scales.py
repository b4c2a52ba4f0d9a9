"""The same problem on another lattice: half as fine, or moved by a part of a voxel."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tomoinr.geometry import Grid, Pixels
from tomoinr.interfaces import Problem, Volume


def halved(problem: Problem) -> Problem:
    """Pixels and voxels twice as large; the volume and the poses are the very same."""
    series = problem.series
    images = _half(_half(series.images, 2), 3)
    rows, depth, columns = ((n + 1) // 2 for n in problem.grid.shape)
    grid = Grid((rows, depth, columns), 2 * problem.grid.spacing, problem.grid.centre)
    return replace(
        problem,
        series=replace(series, images=images, pixel_size=2 * series.pixel_size),
        grid=grid,
        projector=problem.projector.on(grid),
    )


def _half(images: Tensor, axis: int) -> Tensor:
    """Means of pairs along an axis; an odd one gets a sample more, so that its middle stays."""
    n = images.shape[axis]
    if n % 2:
        last = torch.arange(-1, n + 1, device=images.device).clamp(0, n - 1)
        repeated = images.index_select(axis, last)
        images = (repeated.narrow(axis, 0, n + 1) + repeated.narrow(axis, 1, n + 1)) / 2
    return images.unflatten(axis, (-1, 2)).mean(axis + 1)


class Moved(Volume):
    """A volume as seen from a lattice that has moved by `offset` (x, y, z), in Å."""

    name = "moved"

    def __init__(self, volume: Volume, offset: Tensor) -> None:
        super().__init__()
        self.volume, self.grid, self.channels = volume, volume.grid, volume.channels
        self._offset = offset

    def density(self, points: Tensor) -> Tensor:
        """Density at points of the moved lattice (..., 3) in Å: (..., channels)."""
        return self.volume.density(points + self._offset)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on the lattice where it has moved to: (channels, slices, z, x)."""
        x, y, z = (torch.tensor(grid.centre) + self._offset.cpu()).tolist()
        return self.volume.voxels(replace(grid, centre=(x, y, z)), slices)


def predict_moved(problem: Problem, pixels: Pixels, offset: Tensor) -> Tensor:
    """`problem.predict`, by way of a lattice moved by `offset`: (channels, *pixels.shape)."""
    views = problem.views()
    # Seen from the moved lattice, the detectors have moved the other way.
    views = replace(views, centre=views.centre - offset.to(views.centre))
    return problem.projector.project(Moved(problem.volume, offset), views, pixels)
