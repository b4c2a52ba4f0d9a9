"""What is shown of large volumes and images: fewer, larger voxels around the same middle."""

from __future__ import annotations

import math

import numpy as np

from tomoinr.builtin.preparations.bin import shrinking
from tomoinr.geometry import Grid

STEPS = 4  # factors are whole multiples of a quarter


def factor_for(count: int, allowed: float, dimensions: int) -> float:
    """How much coarser `count` samples must be for `allowed` of them to be left."""
    wanted = (count / allowed) ** (1 / dimensions)
    return max(1.0, math.ceil(STEPS * wanted - 1e-9) / STEPS)


def coarser(array: np.ndarray, factor: float, axes: tuple[int, ...]) -> np.ndarray:
    """Fourier-cropped along some axes; as it is where the factor is one."""
    for axis in axes if factor > 1 else ():
        size = array.shape[axis]
        matrix = shrinking(size, min(factor, size)).numpy()
        array = np.moveaxis(np.tensordot(matrix, array, (1, axis)), 0, axis)
    return np.ascontiguousarray(array)


def coarser_grid(grid: Grid, factor: float) -> Grid:
    """The lattice of a volume that was made coarser."""
    y, z, x = (len(shrinking(n, min(factor, n))) for n in grid.shape)
    return Grid((y, z, x), grid.spacing * factor, grid.centre)
