"""Noiseless images of blobs, by formula, and the plainest parts to find them again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Poses, Rays, place
from tomoinr.interfaces import Problem, Solver
from tomoinr.loop import run
from tomoinr.options import NoOptions, parse
from tomoinr.testing.specimens import blobs

GRID = Grid((13, 18, 26), 2.5)


def make_problem(
    grid: Grid = GRID, width: float = 1.5, highest: float = 75.0, **pose: Any
) -> Problem:
    """Two channels, 31 views; `width` of the blobs in voxels; `pose` as `Poses.of` takes it."""
    tilts = torch.linspace(-highest, highest, 31)
    poses, shape = Poses.of(tilts, **pose), (31, grid.shape[0], grid.shape[2])
    rays = place(poses, shape, grid.spacing).rays(Pixels.rows(shape))
    series = TiltSeries(blobs(grid, width).integral(rays), tilts, grid.spacing, ("a", "b"))
    volume, fixed = Voxels(Voxels.Options(), grid, 2), Fixed(NoOptions(), poses, grid)
    return Problem(series, grid, volume, fixed, Slices(Slices.Options(), grid))


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


class Acquired(NamedTuple):
    """What a TomoPy script holds: data [angle, slice, column], radians, and the truth."""

    proj: np.ndarray
    theta: np.ndarray
    truth: np.ndarray


def make_acquired(
    shape: tuple[int, int, int] = (9, 24, 24), centre: Any = None, highest: float = 70.0
) -> Acquired:
    """Noiseless blobs; `centre` of the rotation axis as TomoPy says it, one or one a slice."""
    grid, tilts = Grid(shape, 1.0), torch.linspace(-highest, highest, 29)
    rows, _, columns = shape
    away = np.broadcast_to(columns / 2 if centre is None else centre, rows) - columns / 2
    views = place(Poses.of(tilts), (29, rows, columns), 1.0)
    rays = views.rays(Pixels.rows(views.shape))
    step = views.u[:, None, None] * torch.tensor(away, dtype=torch.float32)[:, None, None]
    rays = Rays(rays.origin - step, rays.direction)
    specimen = blobs(grid, 1.5)
    images, truth = specimen.integral(rays)[0], specimen.voxels(grid)[0]
    return Acquired(images.numpy(), np.deg2rad(tilts.numpy()), truth.numpy())


@pytest.fixture
def acquired() -> Callable[..., Acquired]:
    """Makes data as a TomoPy script has them."""
    return make_acquired


def call_as_tomopy(
    proj: np.ndarray,
    theta: np.ndarray,
    algorithm: Callable[..., None],
    center: Any = None,
    init_recon: np.ndarray | None = None,
    slabs: int = 1,
    threads: int = 1,
    grid: tuple[int, int] | None = None,
    **keywords: Any,
) -> np.ndarray:
    """What `tomopy.recon` does with a function: views of whole arrays, a slab for each thread."""
    tomo = np.require(proj.swapaxes(0, 1), np.float32, "AC")
    rows, _, columns = tomo.shape
    middle = columns / 2 if center is None else center
    centers = np.broadcast_to(np.asarray(middle, np.float32), rows).copy()
    depth, width = grid or (columns, columns)
    recon = np.full((rows, depth, width), 1e-6, np.float32) if init_recon is None else init_recon
    edges = np.linspace(0, rows, slabs + 1).astype(int)
    keywords = {"options": {}, "num_gridx": depth, "num_gridy": width, **keywords}
    parts = [slice(*pair) for pair in pairwise(edges)]

    def one(part: slice) -> None:
        algorithm(tomo[part], centers[part], recon[part], theta, **keywords)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, parts))
    return recon


@pytest.fixture
def recon() -> Callable[..., np.ndarray]:
    """Calls an algorithm as TomoPy would."""
    return call_as_tomopy
