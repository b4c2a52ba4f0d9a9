"""The sparse matrices of the slice projector: A, Aᵀ and dA/dθ of half a slice, from its geometry.

A voxel splats a triangle onto the detector, half as wide as the larger of |cos θ| and |sin θ|:
the voxel's view of Joseph's interpolation, so the numbers are those of ASTRA's `linear`.

Turned by half a turn, a slice casts the mirrored shadow. So the first half of its voxels will do:
the other half, last voxel first, sees the same detector with its last pixel first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from math import hypot
from typing import NamedTuple

import torch
from torch import Tensor

from tomoinr.geometry import Grid, positions

ENTRIES = 1 << 17  # of a matrix, worked out at a time: what that takes stays small


class _Part(NamedTuple):
    """Some rows of a matrix: entries a row, the column and the value of each entry."""

    counts: Tensor
    columns: Tensor
    values: Tensor


class Shadows:
    """Where half a slice's voxels fall on a row of `columns` pixels, at angles (T,) (float64)."""

    def __init__(self, grid: Grid, radians: Tensor, columns: int) -> None:
        _, nz, nx = grid.shape
        x, z = (positions(n).to(radians) for n in (nx, nz))
        some = half(nz * nx)
        self._x, self._z = x.repeat(nz)[:some], z.repeat_interleave(nx)[:some]
        self._radians, self._columns, self._spacing = radians, columns, grid.spacing
        # A central difference: the triangle has kinks, and at zero tilt every voxel sits
        # on one. The outermost voxel moves by a tenth of a pixel.
        self._delta = 0.1 / (hypot(nz, nx) / 2)

    def onto_pixels(self, slope: bool = False) -> Tensor:
        """A. Rows: (tilt, column); columns: (z, x)."""
        tilts = max(1, ENTRIES // (2 * len(self._x)))
        parts = (self._some_tilts(some, slope) for some in self._radians.split(tilts))
        return self._csr(parts, len(self._x), 4 if slope else 2)

    def slope(self) -> Tensor:
        """dA/dθ, in the same order."""
        return self.onto_pixels(slope=True)

    def onto_voxels(self) -> Tensor:
        """Aᵀ: as they come, the entries of a voxel are in order."""
        voxels = max(1, ENTRIES // (2 * len(self._radians)))
        places = zip(self._x.split(voxels), self._z.split(voxels), strict=True)
        parts = (self._some_voxels(x, z) for x, z in places)
        return self._csr(parts, len(self._radians) * self._columns, 2)

    def _csr(self, parts: Iterable[_Part], width: int, most: int) -> Tensor:
        """One matrix of all parts, with indices of 32 bits; `most` entries a voxel and tilt.

        What is left over of them was never touched, so on a CPU it takes up no memory.
        """
        room = most * len(self._x) * len(self._radians)
        columns = torch.empty(room, dtype=torch.int32, device=self._radians.device)
        values, counts, filled = torch.empty_like(columns, dtype=torch.float32), [], 0
        for part in parts:
            here = slice(filled, filled + len(part.values))
            columns[here], values[here], filled = part.columns, part.values, here.stop
            counts.append(part.counts)
        ends = torch.cat(counts).cumsum(0)
        rows = torch.cat((ends.new_zeros(1), ends)).int()
        return csr(rows, columns[:filled], values[:filled], width)

    def _some_tilts(self, radians: Tensor, slope: bool) -> _Part:
        pixels, weights = self._entries(self._x, self._z, radians[:, None], slope)
        pixels += self._columns * torch.arange(len(radians), device=pixels.device)[:, None, None]
        kept = weights.flatten().nonzero()[:, 0]
        rows, order = pixels.flatten().index_select(0, kept).sort(stable=True)
        kept = kept.index_select(0, order)
        counts = rows.bincount(minlength=len(radians) * self._columns)
        voxels = kept // pixels.shape[-1] % len(self._x)
        return _Part(counts, voxels.int(), weights.flatten().index_select(0, kept))

    def _some_voxels(self, x: Tensor, z: Tensor) -> _Part:
        pixels, weights = self._entries(x[:, None], z[:, None], self._radians)
        pixels += self._columns * torch.arange(len(self._radians), device=x.device)[:, None]
        kept = weights.flatten().nonzero()[:, 0]
        columns, values = (t.flatten().index_select(0, kept) for t in (pixels, weights))
        return _Part(weights.flatten(1).count_nonzero(1), columns, values)

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
        half = torch.maximum(radians.cos().abs(), radians.sin().abs())[..., None]
        away = (pixels - self._centre(x, z, radians)[..., None]).abs()
        return (1 - away / half).clamp(min=0) * (self._spacing / half)

    def _centre(self, x: Tensor, z: Tensor, radians: Tensor) -> Tensor:
        """Of each shadow, in pixels."""
        return x * radians.cos() - z * radians.sin() + (self._columns - 1) / 2


def half(voxels: int) -> int:
    """The middle one of an odd number is in the first half."""
    return (voxels + 1) // 2


def csr(rows: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """A sparse matrix: where each row's entries begin, their columns and values."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # CSR products are all that is used here
        return torch.sparse_csr_tensor(
            rows, columns, values, (len(rows) - 1, width), check_invariants=False
        )
