"""Features that are products of three planes' features, at several pitches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr_inr.field import Encoding, Tiles
from tomoinr_inr.frame import Axes, Frame
from tomoinr_inr.nodes import Nodes

GAIN = (
    10.0  # a plane's features per unit of its entries, so that Adam's steps suit it and the network
)
START = (0.1, 0.5)  # range of a new plane's features (Fridovich-Keil et al., 2023)


class Plane(nn.Module):
    """`features` images over two axes."""

    def __init__(self, down: Nodes, across: Nodes, features: int) -> None:
        super().__init__()
        self._down, self._across = down, across
        low, high = (value / GAIN for value in START)
        self.image = nn.Parameter(
            torch.empty(features, down.count, across.count).uniform_(low, high)
        )

    def at(self, down: Tensor, across: Tensor) -> Tensor:
        """Bilinear interpolation at points (n,), (n,): (features, n)."""
        places = self._across.spread(across), self._down.spread(down)
        where = torch.stack(places, -1)[None, None]
        sampled = functional.grid_sample(
            self.image[None], where, padding_mode="border", align_corners=True
        )
        return GAIN * sampled[0, :, 0]

    def on(self, down: Tensor, across: Tensor) -> Tensor:
        """The same on a lattice: (features, down, across)."""
        return self._down.matrix(down) @ self.image @ (GAIN * self._across.matrix(across).T)


class Planes(Encoding):
    """Three planes at each pitch: y-x, z-x and y-z."""

    yx: Any  # ModuleLists of Plane
    zx: Any
    yz: Any
    block = 1 << 13

    def __init__(self, frame: Frame, pitches: list[float], features: int) -> None:
        super().__init__()
        self.yx, self.zx, self.yz = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for pitch in pitches:
            x, y, z = (Nodes.across(half, pitch) for half in frame.half)
            self.yx.append(Plane(y, x, features))
            self.zx.append(Plane(z, x, features))
            self.yz.append(Plane(y, z, features))

    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (pitches × features, n)."""
        x, y, z = unit
        levels = zip(self.yx, self.zx, self.yz, strict=True)
        return torch.cat([a.at(y, x) * b.at(z, x) * c.at(y, z) for a, b, c in levels])

    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """Factors for tiles of a lattice: planes are interpolated once, and then multiplied."""
        x, y, z = axes
        yx = torch.cat([plane.on(y, x) for plane in self.yx]).split(high, dim=1)
        zx = torch.cat([plane.on(z, x) for plane in self.zx]).split(deep, dim=1)
        yz = torch.cat([plane.on(y, z) for plane in self.yz]).split(high, dim=1)
        yz_tiles = [part.split(deep, dim=2) for part in yz]
        return lambda i, j: (yx[i], yz_tiles[i][j], zx[j])

    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (pitches × features, n)."""
        yx, yz, zx = pieces
        return (yx[:, :, None] * yz[..., None] * zx[:, None]).flatten(1)

    def cost(self) -> int:
        """Bytes kept for the gradient of one point, besides its features: the first product."""
        return 4 * sum(len(plane.image) for plane in self.yx)
