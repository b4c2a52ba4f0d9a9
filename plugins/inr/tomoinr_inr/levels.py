"""Features interpolated from lattices of several pitches; a lattice too large is hashed."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr_inr.anew import Pieces
from tomoinr_inr.field import Encoding, Tiles
from tomoinr_inr.frame import Axes, Frame
from tomoinr_inr.nodes import Nodes

GAIN = (
    10.0  # a table's features per unit of its entries, so that Adam's steps suit it and the network
)
START = 1e-2  # bound of a new table's features
PRIMES = (2654435761, 805459861, 1)  # for y, z, x (Müller et al., 2022)


class Level(nn.Module):
    """One lattice of `features` numbers a node, at most `limit` (a power of two) nodes stored."""

    def __init__(self, frame: Frame, pitch: float, features: int, limit: int) -> None:
        super().__init__()
        self._x, self._y, self._z = (Nodes.across(half, pitch) for half in frame.half)
        nodes = self._x.count * self._y.count * self._z.count
        self._hashed = nodes > limit
        bound = START / GAIN
        self.table = nn.Parameter(torch.empty(min(nodes, limit), features).uniform_(-bound, bound))

    def at(self, unit: Tensor) -> Tensor:
        """Trilinear interpolation at points (3, n): (features, n)."""
        return GAIN * (self._gathered(*unit) if self._hashed else self._sampled(*unit))

    def _sampled(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """The whole lattice is there: three times as fast."""
        where = torch.stack((self._x.spread(x), self._z.spread(z), self._y.spread(y)), -1)
        shape = self._y.count, self._z.count, self._x.count, -1
        lattice = self.table.view(shape).movedim(-1, 0)[None]
        sampled = functional.grid_sample(
            lattice, where[None, None, None], padding_mode="border", align_corners=True
        )
        return sampled[0, :, 0, 0]

    def _gathered(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Eight nodes a point, each looked up."""
        around = self._y.around(y), self._z.around(z), self._x.around(x)
        indices, weights = [], []
        for corner in product((0, 1), repeat=3):
            sides = list(zip(around, corner, strict=True))
            indices.append(self._index(*(nodes[side] for nodes, side in sides)))
            parts = [nodes[2] if side else 1 - nodes[2] for nodes, side in sides]
            weights.append(parts[0] * parts[1] * parts[2])
        weight = torch.stack(weights, 1)
        index = torch.stack(indices, 1)
        return functional.embedding_bag(index, self.table, mode="sum", per_sample_weights=weight).T

    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """The same on a lattice, one axis after the other: the product of a tile's two pieces.

        It is (y, features, z, x).
        """
        below, above, part = self._y.around(axes.y)
        below, above = self._planes(torch.cat((below, above)), sparse).chunk(2)
        planes = torch.lerp(below, above, part[:, None, None, None])
        rows = (planes @ (GAIN * self._x.matrix(axes.x).T)).split(high)
        along_z = self._z.matrix(axes.z).split(deep)
        return lambda i, j: (along_z[j], rows[i])

    def _planes(self, y: Tensor, sparse: bool) -> Tensor:
        """Whole planes of nodes: (y, features, z, x)."""
        z = torch.arange(self._z.count, device=y.device)
        x = torch.arange(self._x.count, device=y.device)
        index = self._index(y[:, None, None], z[:, None], x)
        return functional.embedding(index, self.table, sparse=sparse).movedim(-1, 1)

    def _index(self, y: Tensor, z: Tensor, x: Tensor) -> Tensor:
        """Where a node is stored."""
        if self._hashed:
            return ((y * PRIMES[0]) ^ (z * PRIMES[1]) ^ (x * PRIMES[2])) % len(self.table)
        return (y * self._z.count + z) * self._x.count + x


class Levels(Encoding):
    """All levels' features, coarsest first."""

    levels: Any  # a ModuleList of Level
    block = 1 << 14
    together = 1 << 16  # since planes of nodes take up more than the voxels between them

    def __init__(self, frame: Frame, pitches: list[float], features: int, limit: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(frame, pitch, features, limit) for pitch in pitches)

    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (levels × features, n)."""
        return torch.cat([level.at(unit) for level in self.levels])

    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """Two factors a level, for tiles of a lattice."""
        levels = [level.on(axes, high, deep, sparse) for level in self.levels]

        def pieces(i: int, j: int) -> Pieces:
            return tuple(factor for level in levels for factor in level(i, j))

        return pieces

    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (levels × features, n)."""
        products = [z @ rows for z, rows in zip(pieces[::2], pieces[1::2], strict=True)]
        return torch.cat(products, dim=1).movedim(1, 0).flatten(1)
