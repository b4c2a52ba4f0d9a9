"""Random Fourier features and a network of rectifiers (Tancik et al., 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import option
from tomoinr_inr.field import Encoding, Field, FieldOptions, Tiles
from tomoinr_inr.frame import Axes
from tomoinr_inr.network import Network
from tomoinr_inr.waves import phases, terms_on


class RandomWaves(Encoding):
    """Sines and cosines of `count` fixed random waves: 2 × count features."""

    waves: Tensor

    def __init__(self, count: int, omega: float) -> None:
        super().__init__()
        self.register_buffer("waves", omega * torch.randn(count, 3))

    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (2 count, n)."""
        return _both(self.waves @ unit)

    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """Terms of the phases on tiles of a lattice."""
        return terms_on(self.waves, self.waves.new_zeros(len(self.waves)), axes, high, deep)

    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (2 count, n)."""
        return _both(phases(*pieces))


def _both(phases: Tensor) -> Tensor:
    return torch.cat((phases.sin(), phases.cos()))


class Fourier(Volume):
    """Fixed waves of many frequencies, mixed by a network."""

    name = "fourier"
    rate = 1e-3

    @dataclass(frozen=True)
    class Options(FieldOptions):
        """Options of the Fourier-feature network."""

        waves: int = option(64, "random waves, each a sine and a cosine", low=2)
        omega: float = option(6.0, "spread of their frequencies, in radians per half box", low=0.1)
        width: int = option(64, "features of each hidden layer", low=2)
        depth: int = option(3, "hidden layers", low=1)

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        o = options
        network = Network(2 * o.waves, o.width, o.depth, channels, precision=o.precision)
        self.field = Field(o, grid, RandomWaves(o.waves, o.omega), network)

    def density(self, points: Tensor) -> Tensor:
        """Density at (..., 3) in Å, zero outside the box: (..., channels)."""
        return self.field.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on any lattice, or on some of its slices: (channels, slices, z, x)."""
        return self.field.voxels(grid, slices)
