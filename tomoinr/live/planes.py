"""What is now believed, as three pictures: the planes through the middle of the box."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability, Problem

LARGEST = 256  # pixels of a picture's edges: larger boxes are looked at on a coarser lattice
GREYS = (0.5, 99.8)  # percentiles that are black and white
NAMES = ("x–y, from above", "x–z, along the tilt axis", "z–y, from the side")
ACROSS = (1, 0, 2)  # axis of [y, z, x] that each plane is across


def planes(problem: Problem) -> list[np.ndarray]:
    """Densities of the first channel in the middle planes: x–y, x–z and z–y (rows go upwards)."""
    step = math.ceil(max(problem.grid.shape) / LARGEST)
    with torch.no_grad():
        return [_plane(problem, axis, step) for axis in ACROSS]


def _plane(problem: Problem, axis: int, step: int) -> np.ndarray:
    grid, volume = problem.grid, problem.volume
    if Ability.LINEAR in volume.abilities:  # its voxels are there, and need not be interpolated
        values = volume.voxels(grid)[0].select(axis, grid.shape[axis] // 2)[::step, ::step]
    else:
        values = volume.voxels(_sheet(grid, axis, step))[0].squeeze(axis)
    return (values * problem.scale).float().cpu().numpy()


def _sheet(grid: Grid, axis: int, step: int) -> Grid:
    """The lattice of the middle plane, `step` times coarser; it lies on the grid's own voxels."""
    shape = [max(1, n // step) for n in grid.shape]
    shape[axis] = 1
    off = [0.0, 0.0, 0.0]
    off[axis] = 0.0 if grid.shape[axis] % 2 else 0.5 * grid.spacing
    y, z, x = (place + more for place, more in zip(_yzx(grid), off, strict=True))
    rows, deep, wide = shape
    return replace(grid, shape=(rows, deep, wide), spacing=grid.spacing * step, centre=(x, y, z))


def _yzx(grid: Grid) -> tuple[float, float, float]:
    x, y, z = grid.centre
    return y, z, x


def greys(pictures: list[np.ndarray]) -> list[Image.Image]:
    """Each on a scale of greys of its own."""
    return [Image.fromarray(_bytes(picture[::-1])) for picture in pictures]


def _bytes(picture: np.ndarray) -> np.ndarray:
    low, high = np.percentile(picture, GREYS)
    unit: np.ndarray = ((picture - low) / ((high - low) or 1.0)).clip(0, 1)
    return (255 * unit).astype(np.uint8)


def png(picture: Image.Image) -> bytes:
    """As a file."""
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()
