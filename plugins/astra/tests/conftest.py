"""Noiseless images by formula: blobs and the plainest parts to find them; a ball in ASTRA."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import astra
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import tomoinr_astra
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


class Pipeline(NamedTuple):
    """What an ASTRA pipeline has: data and a volume under ASTRA's numbers, and what is true."""

    box: dict[str, Any]
    detector: dict[str, Any]
    data: int
    volume: int
    truth: NDArray[np.float32]

    def run(self, name: str, *iterations: int, **option: Any) -> NDArray[np.float32]:
        """ASTRA's volume after one algorithm made some runs."""
        number = self.create(name, **option)
        for count in iterations:
            astra.algorithm.run(number, count)
        return self.voxels().copy()

    def create(self, name: str, **option: Any) -> int:
        """An algorithm without a projector, unless it is ASTRA's own."""
        config = {"ProjectionDataId": self.data, "ReconstructionDataId": self.volume}
        if not name.startswith("TOMOINR"):
            config["ProjectorId"] = astra.create_projector("linear", self.detector, self.box)
        return astra.algorithm.create({"type": name, **config, "option": option})

    def module(self) -> Any:
        """Where ASTRA keeps the data."""
        return astra.data3d if "GridSliceCount" in self.box else astra.data2d

    def voxels(self) -> NDArray[np.float32]:
        """ASTRA's own memory."""
        return self.module().get_shared(self.volume)

    def images(self) -> NDArray[np.float32]:
        """ASTRA's own memory."""
        return self.module().get_shared(self.data)

    def off(self, found: NDArray[np.float32]) -> float:
        """Relative difference from the truth."""
        return float(np.linalg.norm(found - self.truth) / np.linalg.norm(self.truth))


def make_pipeline(box: dict[str, Any], detector: dict[str, Any], spacing: float = 1.0) -> Pipeline:
    """A ball of density 0.7, by formula, in ASTRA's own coordinates alone."""
    flat = "GridSliceCount" not in box
    centre, radius = spacing * np.array([3.7, -2.6, 0.0 if flat else 1.2]), 4.4 * spacing
    window = box["option"]
    ends = [[window.get(f"Window{end}{axis}", 0) for axis in "XYZ"] for end in ("Min", "Max")]
    centre += np.mean(ends, 0)
    module = astra.data2d if flat else astra.data3d
    return Pipeline(
        box,
        detector,
        module.create("-sino", detector, 0.7 * chords(detector, centre, radius)),
        module.create("-vol", box, 0),
        0.7 * filled(box, centre, radius),
    )


def chords(detector: dict[str, Any], centre: NDArray, radius: float) -> NDArray[np.float32]:
    """How long each pixel's ray is inside a ball: (views, columns) or (rows, views, columns)."""
    vec = detector if "Vectors" in detector else astra.geom_2vec(detector)
    numbers, flat = np.asarray(vec["Vectors"]), vec["Vectors"].shape[1] == 6
    if flat:
        numbers = np.insert(numbers, (2, 4, 6), 0, axis=1)
        numbers = np.hstack((numbers, np.tile([0.0, 0.0, 1.0], (len(numbers), 1))))
    ray, middle, u, v = np.split(numbers, 4, 1)
    rows = 1 if flat else vec["DetectorRowCount"]
    columns = vec["DetectorCount"] if flat else vec["DetectorColCount"]
    across, along = (np.arange(n) - (n - 1) / 2 for n in (columns, rows))
    places = (
        middle[:, None] + across[:, None] * u[:, None] + along[:, None, None, None] * v[:, None]
    )
    away = places - centre
    ray = (ray / np.linalg.norm(ray, axis=1, keepdims=True))[:, None]
    squares = (away**2).sum(-1) - (away * ray).sum(-1) ** 2
    found = 2 * np.sqrt(np.clip(radius**2 - squares, 0, None)).astype(np.float32)
    return found[0] if flat else found


def filled(box: dict[str, Any], centre: NDArray, radius: float) -> NDArray[np.float32]:
    """The part of each voxel that is inside a ball; in 2-D row 0 is the highest Y."""
    flat, window = "GridSliceCount" not in box, box["option"]
    axes = []
    for axis, count in (("X", "Col"), ("Y", "Row"), ("Z", "Slice"))[: 2 if flat else 3]:
        n, low, high = (
            box[f"Grid{count}Count"],
            window[f"WindowMin{axis}"],
            window[f"WindowMax{axis}"],
        )
        axes.append(low + (np.arange(n * 5) + 0.5) / 5 * (high - low) / n)
    squares = sum(
        np.square(a - c).reshape((1,) * (len(axes) - 1 - i) + (-1,) + (1,) * i)
        for i, (a, c) in enumerate(zip(axes, centre, strict=False))
    )
    fine = (squares < radius**2).astype(np.float32)
    shape = [size for n in fine.shape for size in (n // 5, 5)]
    found = fine.reshape(shape).mean(tuple(range(1, len(shape), 2)))
    return found[::-1].copy() if flat else found


@pytest.fixture
def pipeline() -> Callable[..., Pipeline]:
    """Makes a pipeline."""
    return make_pipeline


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Our algorithms are known to ASTRA, and ASTRA holds nothing after a test."""
    tomoinr_astra.register()
    yield
    astra.clear()
