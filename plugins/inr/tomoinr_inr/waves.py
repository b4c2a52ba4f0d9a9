"""First layers made of waves, whose phases on a lattice are sums of one term an axis."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tomoinr_inr.field import Encoding, Tile
from tomoinr_inr.frame import Axes


def phases_on(weight: Tensor, bias: Tensor, axes: Axes, high: int, deep: int) -> Tile:
    """`weight @ (x, y, z) + bias` on tiles of a lattice, without a product at every point."""
    x, y, z = (weight[:, i, None] * axis for i, axis in enumerate(axes))
    ys, zs = (y + bias[:, None]).split(high, dim=1), z.split(deep, dim=1)

    def tile(i: int, j: int) -> Tensor:
        lines = ys[i][:, :, None] + zs[j][:, None]
        return (lines[..., None] + x[:, None, None]).flatten(1)

    return tile


class Waves(Encoding):
    """sin(ω (W p + b)), or sin(ω sinh(2 (W p + b))): `width` features."""

    def __init__(self, width: int, omega: float, hyperbolic: bool = False) -> None:
        super().__init__()
        self._omega, self._hyperbolic = omega, hyperbolic
        self.weight = nn.Parameter(torch.empty(width, 3).uniform_(-1 / 3, 1 / 3))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-1 / math.sqrt(3), 1 / math.sqrt(3)))

    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (width, n)."""
        weight, bias = self._scaled()
        return self._wave(torch.addmm(bias[:, None], weight, unit))

    def on(self, axes: Axes, high: int, deep: int) -> Tile:
        """Features of tiles of a lattice."""
        phases = phases_on(*self._scaled(), axes, high, deep)
        return lambda i, j: self._wave(phases(i, j))

    def _scaled(self) -> tuple[Tensor, Tensor]:
        scale = 2.0 if self._hyperbolic else self._omega
        return scale * self.weight, scale * self.bias

    def _wave(self, phases: Tensor) -> Tensor:
        return (self._omega * phases.sinh()).sin() if self._hyperbolic else phases.sin()
