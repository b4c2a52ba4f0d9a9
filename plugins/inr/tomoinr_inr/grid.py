"""Feature grids of several pitches and a small network (after Müller et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import option
from tomoinr_inr.field import Field, FieldOptions
from tomoinr_inr.frame import Frame
from tomoinr_inr.levels import Levels
from tomoinr_inr.network import Network
from tomoinr_inr.nodes import pitches


class FeatureGrid(Volume):
    """Learns fast and locally: each node serves its surroundings only."""

    name = "grid"
    rate = 1e-3

    @dataclass(frozen=True)
    class Options(FieldOptions):
        """Options of the feature grids."""

        levels: int = option(5, "grids, from the coarsest to the finest", low=1)
        features: int = option(4, "numbers a node", low=1, high=15)
        coarsest: int = option(4, "nodes along the longest edge of the coarsest grid", low=1)
        finest: float = option(1.0, "nodes a voxel of the finest grid", low=0.01)
        limit: int = option(
            21, "grids of more than 2 to this power nodes are hashed", low=4, high=30
        )
        width: int = option(32, "features of each hidden layer", low=2)
        depth: int = option(2, "hidden layers", low=1)

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        o = options
        sizes = pitches(o.levels, o.coarsest, o.finest * max(grid.shape))
        encoding = Levels(Frame.of(grid), sizes, o.features, 1 << o.limit)
        inputs = o.levels * o.features
        network = Network(inputs, o.width, o.depth, channels, precision=o.precision)
        self.field = Field(o, grid, encoding, network)

    def density(self, points: Tensor) -> Tensor:
        """Density at (..., 3) in Å, zero outside the box: (..., channels)."""
        return self.field.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on any lattice, or on some of its slices: (channels, slices, z, x)."""
        return self.field.voxels(grid, slices)
