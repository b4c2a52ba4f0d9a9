"""Noiseless images of blobs, by formula, and the plainest parts to find them again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Poses, place
from tomoinr.interfaces import Problem, Solver
from tomoinr.loop import run
from tomoinr.options import NoOptions, parse
from tomoinr.testing.specimens import blobs
from tomoinr_astra.projector import AstraProjector

GRID = Grid((11, 22, 30), 2.5)


def make_problem(grid: Grid = GRID, width: float = 2.0, **pose: Any) -> Problem:
    """Two channels, 41 views; `width` of the blobs in voxels; `pose` as `Poses.of` takes it."""
    tilts = torch.linspace(-75, 75, 41)
    poses, shape = Poses.of(tilts, **pose), (41, grid.shape[0], grid.shape[2])
    rays = place(poses, shape, grid.spacing).rays(Pixels.rows(shape))
    series = TiltSeries(blobs(grid, width).integral(rays), tilts, grid.spacing, ("a", "b"))
    volume, fixed = Voxels(Voxels.Options(), grid, 2), Fixed(NoOptions(), poses, grid)
    return Problem(series, grid, volume, fixed, AstraProjector(AstraProjector.Options(), grid))


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """Makes a problem."""
    return make_problem


@pytest.fixture
def solve() -> Callable[..., Tensor]:
    """Solves a problem with a solver class and its options: (channels, y, z, x)."""

    def solved(cls: type[Solver], given: Problem, **options: object) -> Tensor:
        run(given, cls(parse(cls.Options, options, cls.name)))
        return given.voxels()

    return solved
