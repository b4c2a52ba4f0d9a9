"""First layers made of waves, whose phases on a lattice are sums of one term an axis."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tomoinr_inr.field import Encoding, Tiles
from tomoinr_inr.frame import Axes
from tomoinr_inr.network import sine


def terms_on(weight: Tensor, bias: Tensor, axes: Axes, high: int, deep: int) -> Tiles:
    """The terms of `weight @ (x, y, z) + bias` on tiles of a lattice, one an axis."""
    x, y, z = (weight[:, i, None] * axis for i, axis in enumerate(axes))
    ys, zs = (y + bias[:, None]).split(high, dim=1), z.split(deep, dim=1)
    return lambda i, j: (ys[i], zs[j], x)


def phases(y: Tensor, z: Tensor, x: Tensor) -> Tensor:
    """Their sums at all points of a tile: (waves, n)."""
    lines = y[:, :, None] + z[:, None]
    return (lines[..., None] + x[:, None, None]).flatten(1)


class Waves(Encoding):
    """sin(ω (W p + b)), or sin(ω sinh(2 (W p + b))): `width` features.

    The other weights start alike whatever ω is, which may be set as long as nothing is learned.
    """

    omega: Tensor

    def __init__(self, width: int, omega: float, hyperbolic: bool = False) -> None:
        super().__init__()
        self._hyperbolic = hyperbolic
        self.register_buffer("omega", torch.tensor(float(omega)))
        self.weight = nn.Parameter(torch.empty(width, 3).uniform_(-1 / 3, 1 / 3))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-1 / math.sqrt(3), 1 / math.sqrt(3)))

    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (width, n)."""
        weight, bias = self._scaled()
        return self._wave(torch.addmm(bias[:, None], weight, unit))

    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """Terms of the phases on tiles of a lattice."""
        return terms_on(*self._scaled(), axes, high, deep)

    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (width, n)."""
        return self._wave(phases(*pieces))

    def cost(self) -> int:
        """Bytes kept for the gradient of one point, besides its features: its phases."""
        return 4 * len(self.bias) * (2 if self._hyperbolic else 1)

    def _scaled(self) -> tuple[Tensor, Tensor]:
        scale = 2.0 if self._hyperbolic else self.omega
        return scale * self.weight, scale * self.bias

    def _wave(self, phases: Tensor) -> Tensor:
        return sine(self.omega * phases.sinh()) if self._hyperbolic else sine(phases)
