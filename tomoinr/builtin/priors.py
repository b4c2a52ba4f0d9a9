"""What a plausible specimen looks like, in two plain words: smooth, sparse."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.interfaces import Prior
from tomoinr.options import option


class TotalVariation(Prior):
    """Few edges: the mean length of the density's gradient, all three directions together."""

    name = "tv"

    @dataclass(frozen=True)
    class Options:
        """Options of total variation."""

        weight: float = option(0.15, "strength relative to the data term", low=0)
        smoothing: float = option(1e-3, "differences below this count as quadratic", low=1e-12)

    def __init__(self, options: Options) -> None:
        self.options = options

    def penalty(self, voxels: Tensor) -> Tensor:
        """Mean over voxels of |∇|, forward differences, zero at the far faces."""
        squares = voxels.new_zeros(voxels.shape)
        for dim in (1, 2, 3):
            squares = squares + _padded(voxels.diff(dim=dim).square(), dim)
        soft = self.options.smoothing
        return ((squares + soft**2).sqrt() - soft).mean() * self.options.weight


class Sparsity(Prior):
    """Mostly empty: the mean absolute density."""

    name = "sparsity"

    @dataclass(frozen=True)
    class Options:
        """Options of sparsity."""

        weight: float = option(0.01, "strength relative to the data term", low=0)

    def __init__(self, options: Options) -> None:
        self.options = options

    def penalty(self, voxels: Tensor) -> Tensor:
        """Mean of the density's size."""
        return voxels.abs().mean() * self.options.weight


def _padded(step: Tensor, dim: int) -> Tensor:
    """One layer of zeros after the last along `dim`."""
    layer = [1 if d == dim else size for d, size in enumerate(step.shape)]
    return torch.cat((step, step.new_zeros(layer)), dim)
