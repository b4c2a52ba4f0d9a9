"""K-planes: three feature planes multiplied, and a small network (Fridovich-Keil et al., 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import option
from tomoinr_inr.field import Field, FieldOptions
from tomoinr_inr.frame import Frame
from tomoinr_inr.network import Network
from tomoinr_inr.nodes import pitches
from tomoinr_inr.planes import Planes


class KPlanes(Volume):
    """Small and quick: memory grows with the area of the box, not with its volume."""

    name = "kplanes"
    rate = 1e-3

    @dataclass(frozen=True)
    class Options(FieldOptions):
        """Options of the K-planes."""

        levels: int = option(3, "sets of planes, from the coarsest to the finest", low=1)
        features: int = option(16, "numbers a node", low=1)
        coarsest: int = option(16, "nodes along the longest edge of the coarsest planes", low=1)
        finest: float = option(1.0, "nodes a voxel of the finest planes", low=0.01)
        width: int = option(64, "features of each hidden layer", low=2)
        depth: int = option(2, "hidden layers", low=1)

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        o = options
        sizes = pitches(o.levels, o.coarsest, o.finest * max(grid.shape))
        encoding = Planes(Frame.of(grid), sizes, o.features)
        inputs = o.levels * o.features
        network = Network(inputs, o.width, o.depth, channels, precision=o.precision)
        self.field = Field(o, grid, encoding, network)

    def density(self, points: Tensor) -> Tensor:
        """Density at (..., 3) in Å, zero outside the box: (..., channels)."""
        return self.field.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on any lattice, or on some of its slices: (channels, slices, z, x)."""
        return self.field.voxels(grid, slices)
