"""Slopes between voxels, and the dual variables of total variation that keep them down."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.builtin.dither import Dither
from tomoinr.builtin.memory import LARGE

EVERYTHING = slice(None)
NARROW = torch.float16
# Duals of large volumes are whole multiples of 1 / UNITS, in 8 bits: at most MOST of them, about 2.
UNITS, MOST = 63.0, 127.0


class EdgeDuals:
    """Three numbers a voxel (3, channels, y, z, x), of order one, kept in few bits.

    `first`: which slice of the whole volume the first one is.
    """

    def __init__(self, kept: Tensor, first: int) -> None:
        self._kept, self._first = kept, first
        self._dither = Dither(kept.shape[3:], kept.device)

    @staticmethod
    def nothing(voxels: Tensor, among: int) -> Tensor:
        """Zeros for some voxels, of so many in all."""
        kind = torch.int8 if among >= LARGE else NARROW
        return torch.zeros((3, *voxels.shape), dtype=kind, device=voxels.device)

    def some(self, part: slice) -> Tensor:
        """Of some slices, in full."""
        kept = self._kept[:, :, part].float()
        return kept if self._kept.dtype.is_floating_point else kept.div_(UNITS)

    def keep(self, part: slice, values: Tensor, step: int) -> None:
        """Those of some slices; the values are used up."""
        if not self._kept.dtype.is_floating_point:
            rows = slice(part.start + self._first, part.stop + self._first)
            values.mul_(UNITS).add_(self._dither.at(step, rows)).floor_().clamp_(-MOST, MOST)
        self._kept[:, :, part] = values


def gradient(voxels: Tensor, part: slice = EVERYTHING) -> Tensor:
    """Forward differences along y, z, x of some slices, zero at the far faces: (3, channels, …)."""
    first, last, _ = part.indices(voxels.shape[1])
    mine, behind = voxels[:, first:last], voxels[:, first + 1 : last + 1]
    out = voxels.new_empty((3, *mine.shape))
    within = behind.shape[1]
    torch.sub(behind, mine[:, :within], out=out[0, :, :within])
    torch.sub(mine[:, :, 1:], mine[:, :, :-1], out=out[1, :, :, :-1])
    torch.sub(mine[..., 1:], mine[..., :-1], out=out[2, ..., :-1])
    for face in (out[0, :, within:], out[1, :, :, -1], out[2, ..., -1]):
        face.zero_()
    return out


def divergence(edges: Tensor, behind: Tensor | None = None, more: bool = False) -> Tensor:
    """Minus the transpose of `gradient`: (channels, y, z, x).

    `behind`: the edges of slices just before these, if there are any; `more`: whether some follow.
    """
    out = edges[0].clone()
    if not more:
        out[:, -1:] = 0
    out[:, 1:] -= edges[0, :, :-1]
    if behind is not None:
        out[:, :1] -= behind[0, :, -1:]
    for axis, dim in ((1, 2), (2, 3)):
        inner = edges[axis].narrow(dim, 0, edges.shape[dim + 1] - 1)
        out.narrow(dim, 0, inner.shape[dim]).add_(inner)
        out.narrow(dim, 1, inner.shape[dim]).sub_(inner)
    return out


def length(edges: Tensor) -> Tensor:
    """|∇| at every voxel; written out, since torch's norm over a leading axis is slow on a CPU."""
    total = edges[0].square()
    for edge in edges[1:]:
        total.addcmul_(edge, edge)
    return total.sqrt_()
