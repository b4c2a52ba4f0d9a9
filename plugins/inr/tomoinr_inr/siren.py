"""SIREN: a network whose activations are sines (Sitzmann et al., 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import option
from tomoinr_inr.detail import USUAL, fineness, suitable
from tomoinr_inr.field import Field, FieldOptions
from tomoinr_inr.network import Network
from tomoinr_inr.waves import Waves


class Siren(Volume):
    """Smooth at every scale, with one frequency that sets the finest detail it likes."""

    name = "siren"
    rate = 1e-3
    settled: Tensor

    @dataclass(frozen=True)
    class Options(FieldOptions):
        """Options of the SIREN."""

        width: int = option(64, "features of each layer", low=2)
        depth: int = option(3, "hidden layers after the first", low=1)
        omega: float = option(
            0.0, "frequency of the first layer; finer detail needs more; 0: from the images", low=0
        )
        hidden_omega: float = option(15.0, "frequency of the hidden layers", low=0.1)

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        o = options
        network = Network(o.width, o.width, o.depth, channels, o.hidden_omega, o.precision)
        self.field = Field(o, grid, Waves(o.width, o.omega or USUAL), network)
        self.register_buffer("settled", torch.tensor(o.omega > 0))

    def heed(self, series: TiltSeries) -> tuple[str, ...]:
        """Find ω, unless it was given, or found when this network's learning began."""
        if self.settled:
            return ()
        found = fineness(series, self.grid)
        omega = suitable(found)
        self.get_buffer("field.encoding.omega").fill_(omega)
        self.settled.fill_(True)
        why = f"the images show {found:.1f} cycles per half box" if found > 0 else "as usual"
        return (f"omega = {omega:g}: {why}",)

    def density(self, points: Tensor) -> Tensor:
        """Density at (..., 3) in Å, zero outside the box: (..., channels)."""
        return self.field.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on any lattice, or on some of its slices: (channels, slices, z, x)."""
        return self.field.voxels(grid, slices)
