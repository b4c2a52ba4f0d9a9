"""ASTRA's parallel geometries as ours: a grid, a pose for every view, pixels as large as voxels.

A volume's array is [y, z, x] in both. In 3-D ASTRA's (X, Z, Y) is our (x, y, z); in 2-D, where
ASTRA's row 0 is its +Y, our z is -Y. Which way a parallel beam runs does not matter, so detectors
of either hand are poses like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import astra
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses

Geometry = Mapping[str, Any]
Vectors = NDArray[np.float64]
FLAT, SOLID = ("parallel", "parallel_vec"), ("parallel3d", "parallel3d_vec")
TOLERANCE = 1e-3  # pixels, from the middle of the detector to its end
WITHIN = 8  # samples of a new pixel, whose mean it is


class Scene(NamedTuple):
    """What stands where, with the volume's box centred on zero.

    `along` and `across` turn detector rows and columns into pixels as large as voxels; none: they
    are.
    """

    grid: Grid
    poses: Poses
    along: Tensor | None
    across: Tensor | None


class Frames(NamedTuple):
    """Every view's ray, detector centre and pixel steps, in our axes: each (views, 3)."""

    ray: Vectors
    centre: Vectors
    u: Vectors
    v: Vectors


def scene(volume: Geometry, detector: Geometry, who: str) -> Scene:
    """Where voxels and pixels are; what is no parallel beam on cubic voxels is refused."""
    grid = _grid(volume, who)
    frames = _square_on(_frames(detector, grid.spacing, who))
    rows, columns = _size(detector)
    high, wide = _pixel(frames, max(rows, columns), who)
    if abs(rows * high / grid.spacing - grid.shape[0]) > 0.5:
        raise TomoinrError(
            f"{who}: the detector has {rows} rows of {high:g}, but the volume {grid.shape[0]} "
            f"slices of {grid.spacing:g}; make both equally high"
        )
    across = int(np.ceil(columns * wide / grid.spacing - TOLERANCE))
    return Scene(
        Grid(grid.shape, grid.spacing),
        _poses(frames, np.array(grid.centre)),
        _resampling(rows, grid.shape[0], high / grid.spacing),
        _resampling(columns, across, wide / grid.spacing),
    )


def resampled(images: Tensor, scene: Scene) -> Tensor:
    """Images [view, row, column] on pixels as large as voxels; the same memory if they are."""
    if scene.along is not None:
        images = torch.einsum("yr,trc->tyc", scene.along, images)
    return images if scene.across is None else images @ scene.across.T


def on_whole_columns(scene: Scene, detector: Geometry) -> bool:
    """Whether pixels, at zero tilt, lie where voxels do."""
    columns = _size(detector)[1] if scene.across is None else len(scene.across)
    places = scene.poses.shift[:, 0] / scene.grid.spacing + (columns - scene.grid.shape[2]) / 2
    return bool(((places - places.round()).abs() <= TOLERANCE).all())


def _grid(volume: Geometry, who: str) -> Grid:
    """The volume's lattice, with its centre in our axes."""
    flat, window = "GridSliceCount" not in volume, volume["options"]
    names = (("X", "Col"), ("Y", "Row")) + (() if flat else (("Z", "Slice"),))
    counts = [int(volume[f"Grid{count}Count"]) for _, count in names]
    edges = np.array(
        [[window[f"Window{end}{axis}"] for end in ("Min", "Max")] for axis, _ in names]
    )
    sizes = (edges[:, 1] - edges[:, 0]) / counts
    if np.ptp(sizes) * max(counts) > TOLERANCE * sizes[0]:
        listed = " x ".join(f"{size:g}" for size in sizes)
        raise TomoinrError(f"{who}: voxels must have equal edges, these have {listed}")
    x, y, z = (*edges.mean(1).tolist(), 0.0)[:3]
    centre = (x, 0.0, -y) if flat else (x, z, y)
    columns, rows, slices = (*counts, 1)[:3]
    return Grid((slices, rows, columns), float(sizes.mean()), centre)


def _size(detector: Geometry) -> tuple[int, int]:
    """Rows and columns."""
    if detector["type"] in FLAT:
        return 1, int(detector["DetectorCount"])
    return int(detector["DetectorRowCount"]), int(detector["DetectorColCount"])


def _frames(detector: Geometry, height: float, who: str) -> Frames:
    """ASTRA's vectors, in our axes; a flat detector gets pixels of some height."""
    kind = detector["type"]
    if kind not in FLAT + SOLID:
        raise TomoinrError(
            f"{who} takes parallel beams ({', '.join(FLAT + SOLID)}), but the data's geometry "
            f"is '{kind}'"
        )
    vectors = detector if kind.endswith("_vec") else astra.geom_2vec(dict(detector))
    numbers = np.asarray(vectors["Vectors"], np.float64)
    if not np.isfinite(numbers).all():
        raise TomoinrError(f"{who}: the data's geometry holds numbers that are not finite")
    if kind in SOLID:
        return Frames(*(numbers[:, i : i + 3][:, [0, 2, 1]] for i in (0, 3, 6, 9)))
    level = np.zeros(len(numbers))
    ray, centre, u = (np.stack((n[:, 0], level, -n[:, 1]), 1) for n in np.split(numbers, 3, 1))
    return Frames(ray, centre, u, np.stack((level, level + height, level), 1))


def _square_on(frames: Frames) -> Frames:
    """The same lines, seen by detectors that stand across the beam."""
    ray = frames.ray / np.linalg.norm(frames.ray, axis=1, keepdims=True)
    rest = (x - (x * ray).sum(1, keepdims=True) * ray for x in frames[1:])
    return Frames(ray, *rest)


def _pixel(frames: Frames, longest: int, who: str) -> tuple[float, float]:
    """Height and width of a pixel, which all views must share; no skewed or changing ones."""
    wide, high = (np.linalg.norm(step, axis=1) for step in (frames.u, frames.v))
    skew = np.abs((frames.u * frames.v).sum(1)) / (wide * high)
    change = max(np.ptp(wide) / wide.min(), np.ptp(high) / high.min(), skew.max())
    if not change * longest / 2 <= TOLERANCE:
        raise TomoinrError(
            f"{who} takes pixels that are rectangles of one size in all views, as seen along the "
            "beam; these are skewed, or change their size"
        )
    return float(high.mean()), float(wide.mean())


def _poses(frames: Frames, box: Vectors) -> Poses:
    """Rotations and shifts that put the detectors there, seen from the centre of the box."""
    across, along = (step / np.linalg.norm(step, axis=1, keepdims=True) for step in frames[2:])
    turns = np.stack((across, along, np.cross(across, along)), 1)
    shifts = -np.einsum("tij,tj->ti", turns[:, :2], frames.centre - box)
    return Poses(torch.from_numpy(turns), torch.from_numpy(shifts))


def _resampling(old: int, new: int, size: float) -> Tensor | None:
    """(new, old): means over pixels of size one, of a spline through values `size` apart.

    Beyond the outermost centres values stay as they are.
    """
    if old == new and abs(size - 1) * old / 2 <= TOLERANCE:
        return None
    inside = (np.arange(WITHIN) + 0.5) / WITHIN - 0.5
    centres = np.arange(new)[:, None] - (new - 1) / 2 + inside
    places = np.clip(centres / size + (old - 1) / 2, 0, old - 1)
    spline = make_interp_spline(np.arange(old), np.eye(old), k=min(3, old - 1))
    return torch.from_numpy(spline(places).mean(1).astype(np.float32))
