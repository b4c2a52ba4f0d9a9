"""Bodies by signed distance, and the canvas that draws them with box-averaged edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import HalfspaceIntersection
from scipy.spatial.transform import Rotation

Array = NDArray[np.floating]
Shape = tuple[int, int, int]
FINE = 128  # voxels across the canvas, at least
CELLS = np.array(list(product((-1 / 3, 0, 1 / 3), repeat=3)), np.float32)  # inside a voxel


class Solid(NamedTuple):
    """A body: centre (x, y, z), half of its bounding box, signed distance (..., 3) -> (...)."""

    centre: ArrayLike
    reach: ArrayLike
    distance: Callable[[Array], Array]  # of points relative to the centre; negative inside


def ellipsoid(centre: ArrayLike, radii: ArrayLike, turn: Rotation | None = None) -> Solid:
    """An ellipsoid with three radii (or a ball with one), turned about its centre."""
    axes = np.broadcast_to(radii, 3).astype(np.float32)
    matrix = (turn or Rotation.identity()).as_matrix().astype(np.float32)

    def distance(points: Array) -> Array:
        scaled = points @ (matrix / axes)
        level, slope = np.linalg.norm([scaled, scaled / axes], axis=-1) + np.float32(1e-9)
        return np.asarray((level - 1) * level / slope)

    return Solid(centre, np.linalg.norm(matrix * axes, axis=1), distance)


def crystal(centre: ArrayLike, facets: Array, radius: float, turn: Rotation) -> Solid:
    """The body behind facets (N, 4) of unit normal and relative depth, scaled to fit in a ball."""
    normals = turn.apply(facets[:, :3])
    corners = HalfspaceIntersection(np.c_[normals, -facets[:, 3]], np.zeros(3)).intersections
    scale = radius / np.linalg.norm(corners, axis=1).max()
    planes = np.c_[normals, scale * facets[:, 3]].astype(np.float32)

    def distance(points: Array) -> Array:
        nearest = np.full(points.shape[:-1], -np.inf, np.float32)
        for plane in planes:
            np.maximum(nearest, points @ plane[:3] - plane[3], out=nearest)
        return nearest

    return Solid(centre, scale * np.abs(corners).max(axis=0), distance)


def stick(start: Array, end: Array, radius: float) -> Solid:
    """A rounded stick that loses a fifth of its radius from the start to the end."""
    half = ((end - start) / 2).astype(np.float32)

    def distance(points: Array) -> Array:
        along = np.clip(points @ half / (half @ half), -1, 1)
        away = np.linalg.norm(points - along[..., None] * half, axis=-1)
        return np.asarray(away - radius * (0.9 - 0.1 * along))

    return Solid((start + end) / 2, np.abs(half) + radius, distance)


def bin_by(volume: Array, size: int) -> Array:
    """Means over blocks of `size` along every axis."""
    blocks = volume.reshape([n for length in volume.shape for n in (length // size, size)])
    return np.asarray(blocks.mean(axis=tuple(range(1, blocks.ndim, 2))))


class Canvas:
    """A volume [y, z, x] that solids are drawn into, finer than the one asked for if that is small.

    Voxels that two surfaces share are then few: what fraction is covered twice is not known.
    """

    def __init__(self, shape: Shape) -> None:
        """Start with an empty box."""
        self.finer = math.ceil(FINE / min(shape[1:]))
        sides = [n * self.finer for n in shape]
        self.voxels = np.zeros(sides, np.float32)
        self.side = np.float32(2 / min(sides[1:]))
        self.axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * self.side for n in sides]

    def volume(self) -> Array:
        """What is drawn, in the shape asked for."""
        return bin_by(self.voxels, self.finer)

    def fuse(self, solid: Solid) -> None:
        """Unite a solid with what is there, both of value 1."""
        for view, points in self._around(solid):
            np.maximum(view, self._cover(solid, points), out=view)

    def draw(self, solid: Solid, value: float) -> None:
        """Put a solid in the place of what is there."""
        for view, points in self._around(solid):
            view += self._cover(solid, points) * (float(value) - view)

    def glow(self, centre: ArrayLike, radii: ArrayLike, value: float) -> None:
        """Add a smooth bump that falls from `value` at the centre to nothing at the radii."""
        for view, points in self._around(ellipsoid(centre, radii)):
            level = np.square(points / np.asarray(radii)).sum(axis=-1)
            view += value * np.clip(1 - level, 0, None) ** 2

    def _around(self, solid: Solid) -> Iterator[tuple[Array, Array]]:
        """The voxels of a solid's box, as views, and their places relative to its centre."""
        centre, reach = np.asarray(solid.centre), np.asarray(solid.reach) + self.side
        ends = zip(self.axes, (centre - reach)[[1, 2, 0]], (centre + reach)[[1, 2, 0]], strict=True)
        y, z, x = (slice(*np.searchsorted(axis, limits)) for axis, *limits in ends)
        for start in range(y.start, y.stop, 8):  # a few slices at a time: memory
            box = slice(start, min(start + 8, y.stop)), z, x
            sides = np.meshgrid(*(a[s] for a, s in zip(self.axes, box, strict=True)), indexing="ij")
            points = np.stack([sides[2], sides[0], sides[1]], axis=-1)
            yield self.voxels[box], points - centre.astype(np.float32)

    def _cover(self, solid: Solid, points: Array) -> Array:
        """The fraction of every voxel that is inside the solid."""
        distance = solid.distance(points)
        cover = (distance < 0).astype(np.float32)
        edge = np.abs(distance) < self.side  # half of a voxel's diagonal is shorter
        inner = solid.distance(points[edge][:, None] + CELLS * self.side)
        cover[edge] = np.clip(0.5 - inner * (3 / self.side), 0, 1).mean(axis=-1)
        return cover
