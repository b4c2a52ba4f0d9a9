"""A rotation centre for each slice: every detector row is moved by itself, and not resampled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Rays, Views, positions
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.sampling import Draw


@dataclass(frozen=True, eq=False)
class RowViews(Views):
    """Views whose rows are moved along themselves, by so many columns (rows,)."""

    moved: Tensor

    def rays(self, pixels: Pixels) -> Rays:
        """The lines that end in these pixels."""
        rays = super().rays(pixels)
        step = self.moved[pixels.row][..., None] * self.u[pixels.view]
        return Rays(rays.origin - step, rays.direction)


class RowCentres(Projector):
    """The slice projector under views whose rows are moved."""

    name = "slices"  # which it is to all that ask for partners by name
    abilities = frozenset({Ability.BLOCKS, Ability.POSES, Ability.LINEAR})

    @dataclass(frozen=True)
    class Options:
        """The slice projector, its interpolation, and the centre of every slice."""

        slices: type[Projector]
        warp: str
        away: tuple[float, ...]  # from the mean, in voxels of one unit, from the first slice on

    def __init__(self, options: Options, grid: Grid) -> None:
        self.options, self.grid = options, grid
        made: Any = options.slices
        self._inner: Projector = made(made.Options(warp=options.warp), grid)

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """As the slice projector does."""
        return self._inner.sample(series, budget, draw)

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals at whole rows: (channels, views, rows, columns)."""
        return self._inner.project(volume, self._moved(views), pixels)

    def _moved(self, views: Views) -> RowViews:
        """Rows of any height: a solver may work on the images at half their size."""
        pixel = float(views.v[0].detach().norm())
        own = positions(len(self.options.away)).numpy()
        rows = positions(views.shape[1], pixel).numpy()
        moved = torch.from_numpy(np.interp(rows, own, self.options.away) / pixel).to(views.u)
        return RowViews(**{f.name: getattr(views, f.name) for f in fields(views)}, moved=moved)


def row_centres(projector: Projector, away: NDArray[np.float64]) -> RowCentres:
    """A slice projector that sees slice `i` moved by `away[i]` columns."""
    options = RowCentres.Options(type(projector), projector.options.warp, tuple(away.tolist()))
    return RowCentres(options, projector.grid)
