"""The sparse matrices of the slice projector: A, Aᵀ and dA/dθ of half a slice, from its geometry.

A voxel splats a triangle onto the detector, half as wide as the larger of |cos θ| and |sin θ|:
the voxel's view of Joseph's interpolation, so the numbers are those of ASTRA's `linear`.

Turned by half a turn, a slice casts the mirrored shadow. So the first half of its voxels will do:
the other half, last voxel first, sees the same detector with its last pixel first.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, hypot

import torch
from torch import Tensor

from tomoinr.builtin.slabs import shared_out
from tomoinr.builtin.sparse import Matrix, Part, joined, narrow, tiled
from tomoinr.geometry import Grid, positions

ENTRIES = 1 << 17  # of a matrix, worked out at a time: what that takes stays small
TILE = 1 << 18  # entries: in 32 bits, so many are still near a core
# Columns of a tile of A and of Aᵀ: what 16 slices have there is near as well.
VOXELS = 1 << 12
PIXELS = 1 << 14
NARROW = 1 << 20  # entries: a smaller matrix in 16 bits saves little, and takes longer


class Shadows:
    """Where half a slice's voxels fall on a row of `columns` pixels, at angles (T,) (float64)."""

    def __init__(self, grid: Grid, radians: Tensor, columns: int, in_tiles: bool) -> None:
        _, nz, nx = grid.shape
        x, z = (positions(n).to(radians) for n in (nx, nz))
        some = half(nz * nx)
        self._x, self._z = x.repeat(nz)[:some], z.repeat_interleave(nx)[:some]
        self._radians, self._columns, self._spacing = radians, columns, grid.spacing
        self._in_tiles = in_tiles
        self._room = 2 * some * len(radians)  # entries, at most
        self._narrow = in_tiles and self._room >= NARROW
        # A central difference: the triangle has kinks, and at zero tilt every voxel sits
        # on one. The outermost voxel moves by a tenth of a pixel.
        self._delta = 0.1 / (hypot(nz, nx) / 2)

    def onto_pixels(self) -> Matrix:
        """A. Rows: (tilt, column); columns: (z, x)."""
        voxels, pixels = len(self._x), len(self._radians) * self._columns
        together = VOXELS if self._narrow else voxels
        return self._matrix(self._parts_of_pixels(together), (pixels, voxels))

    def slope(self) -> Tensor:
        """dA/dθ, in the same order."""
        voxels = len(self._x)
        parts = self._parts_of_pixels(voxels, slope=True)
        return joined(parts, voxels, 2 * self._room, self._radians.device)

    def onto_voxels(self) -> Matrix:
        """Aᵀ: as they come, the entries of a voxel are in order."""
        voxels, pixels = len(self._x), len(self._radians) * self._columns
        together = PIXELS if self._narrow else pixels
        return self._matrix(self._parts_of_voxels(together), (voxels, pixels))

    def _matrix(self, parts: Iterator[Part], shape: tuple[int, int]) -> Matrix:
        if self._narrow:
            largest = self._spacing / float(_reach(self._radians).min())
            return narrow(parts, shape, TILE, self._room, largest)
        if self._in_tiles:
            return tiled(parts, shape, NARROW)
        return joined(parts, shape[1], self._room, self._radians.device)

    def _parts_of_pixels(self, together: int, slope: bool = False) -> Iterator[Part]:
        """Of so many voxels at a time."""
        for voxels in _shares(len(self._x), together):
            tilts = ENTRIES // (2 * (voxels.stop - voxels.start))
            for some in _shares(len(self._radians), tilts):
                yield self._some_tilts(some, voxels, slope)

    def _parts_of_voxels(self, together: int) -> Iterator[Part]:
        """Of so many pixels at a time."""
        for tilts in _shares(len(self._radians), together // self._columns):
            voxels = ENTRIES // (2 * (tilts.stop - tilts.start))
            for some in _shares(len(self._x), voxels):
                yield self._some_voxels(some, tilts)

    def _some_tilts(self, tilts: slice, voxels: slice, slope: bool) -> Part:
        """Rows of A or dA/dθ."""
        x, z, radians = self._x[voxels], self._z[voxels], self._radians[tilts]
        pixels, weights = self._entries(x, z, radians[:, None], slope)
        pixels += self._columns * torch.arange(len(radians), device=x.device)[:, None, None]
        kept = weights.flatten().nonzero()[:, 0]
        rows, order = pixels.flatten().index_select(0, kept).sort(stable=True)
        kept = kept.index_select(0, order)
        counts = rows.bincount(minlength=len(radians) * self._columns)
        columns = (kept // pixels.shape[-1] % len(x)).int()
        values = weights.flatten().index_select(0, kept)
        top = tilts.start * self._columns
        return Part(top, voxels.start, len(x), counts, columns, values)

    def _some_voxels(self, voxels: slice, tilts: slice) -> Part:
        """Rows of Aᵀ."""
        x, z, radians = self._x[voxels], self._z[voxels], self._radians[tilts]
        pixels, weights = self._entries(x[:, None], z[:, None], radians)
        pixels += self._columns * torch.arange(len(radians), device=x.device)[:, None]
        kept = weights.flatten().nonzero()[:, 0]
        columns, values = (t.flatten().index_select(0, kept) for t in (pixels, weights))
        counts = weights.flatten(1).count_nonzero(1)
        left, width = (self._columns * n for n in (tilts.start, len(radians)))
        return Part(voxels.start, left, width, counts, columns, values)

    def _entries(
        self, x: Tensor, z: Tensor, radians: Tensor, slope: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The pixels near each shadow (..., 2 or 4), and the weight of each."""
        near = torch.arange(-1, 3) if slope else torch.arange(2)
        pixels = self._centre(x, z, radians).floor()[..., None] + near.to(radians)
        if slope:
            ahead = self._weights(x, z, radians + self._delta, pixels)
            behind = self._weights(x, z, radians - self._delta, pixels)
            weights = (ahead - behind) * (0.5 / self._delta)
        else:
            weights = self._weights(x, z, radians, pixels)
        return pixels.int(), weights.float()

    def _weights(self, x: Tensor, z: Tensor, radians: Tensor, pixels: Tensor) -> Tensor:
        """Of a triangle of unit area, times the length of a voxel."""
        reach = _reach(radians)[..., None]
        away = (pixels - self._centre(x, z, radians)[..., None]).abs()
        return (1 - away / reach).clamp(min=0) * (self._spacing / reach)

    def _centre(self, x: Tensor, z: Tensor, radians: Tensor) -> Tensor:
        """Of each shadow, in pixels."""
        return x * radians.cos() - z * radians.sin() + (self._columns - 1) / 2


def half(voxels: int) -> int:
    """The middle one of an odd number is in the first half."""
    return (voxels + 1) // 2


def _reach(radians: Tensor) -> Tensor:
    """Of a shadow to either side, in pixels."""
    return torch.maximum(radians.cos().abs(), radians.sin().abs())


def _shares(total: int, most: int) -> list[slice]:
    """About equal ones, of so many at most, but one at least."""
    return shared_out(total, ceil(total / max(1, most)))
