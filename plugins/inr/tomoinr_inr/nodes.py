"""Nodes along an axis, and linear interpolation between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Nodes:
    """`count` equally spaced nodes, centred on zero; constant beyond the outermost.

    With as many nodes as voxels they sit at the voxels' centres.
    """

    count: int
    pitch: float

    @classmethod
    def across(cls, half: float, pitch: float) -> Nodes:
        """Nodes for an axis from -half to half, one in the middle of each pitch."""
        return cls(max(1, round(2 * half / pitch)), pitch)

    def place(self, at: Tensor) -> Tensor:
        """Coordinates → fractional indices."""
        return (at / self.pitch + (self.count - 1) / 2).clamp(0, self.count - 1)

    def spread(self, at: Tensor) -> Tensor:
        """Coordinates → what `grid_sample` takes: the outermost nodes are at -1 and 1."""
        return 2 * self.place(at) / max(self.count - 1, 1) - 1

    def around(self, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates → the index below, the index above, and the part of the way between."""
        place = self.place(at)
        low = place.detach().floor().long().clamp(max=max(self.count - 2, 0))
        return low, (low + 1).clamp(max=self.count - 1), place - low

    def matrix(self, at: Tensor) -> Tensor:
        """Interpolation as a matrix: (len(at), count)."""
        index = torch.arange(self.count, device=at.device)
        return (1 - (self.place(at)[:, None] - index).abs()).clamp(min=0)


def pitches(levels: int, coarsest: int, finest: float) -> list[float]:
    """Pitches from `coarsest` to `finest` nodes along the longest edge, in equal ratios."""
    first = min(float(coarsest), finest)
    steps = max(levels - 1, 1)
    return [2 / (first * (finest / first) ** (i / steps)) for i in range(levels)]
