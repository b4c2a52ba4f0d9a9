"""H-SIREN: a SIREN whose first layer bends its phases, so that it holds many frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import option
from tomoinr_inr.field import Field, FieldOptions
from tomoinr_inr.network import Network
from tomoinr_inr.waves import Waves

# The configuration of arXiv 2512.08113, as a table of options.
PAPER: dict[str, Any] = {
    "width": 256,
    "depth": 3,
    "omega": 30.0,
    "hidden_omega": 30.0,
    "winner": True,
}
# How it is trained there: options of the solver `joint`, with the projector `quadrature`. The
# step of Adam is 2e-4; `pose_start` and `pose_rate` say when and how fast poses follow.
PAPER_TRAINING: dict[str, Any] = {
    "optimiser": "adam",
    "rate": 0.2,
    "betas": (0.9, 0.999),
    "batch": 1024,
    "warm_up": 0.0,
    "last_rate": 0.0,
    "half_ramp": 0.0,
    "half_size": 0.0,
    "blur": 0.0,
    "average": 0.0,
}
NOISE = (5.0, 0.1)  # what "winner" adds to the phases' weights: first layer, second layer


class HSiren(Volume):
    """First layer sin(ω sinh(2 (W p + b))), then a SIREN (Gao and Jaiman, 2024)."""

    name = "hsiren"
    rate = 1e-3

    @dataclass(frozen=True)
    class Options(FieldOptions):
        """Options of the H-SIREN; the paper's are width 256, both ω 30, with winner."""

        width: int = option(64, "features of each layer", low=2)
        depth: int = option(3, "hidden layers after the first", low=1)
        omega: float = option(
            10.0, "frequency of the first layer; finer detail needs more", low=0.1
        )
        hidden_omega: float = option(15.0, "frequency of the hidden layers", low=0.1)
        winner: bool = option(False, "start with noise on the weights of the first two layers")

    def __init__(self, options: Options, grid: Grid, channels: int = 1) -> None:
        super().__init__()
        self.options, self.grid, self.channels = options, grid, channels
        o = options
        waves = Waves(o.width, o.omega, hyperbolic=True)
        network = Network(o.width, o.width, o.depth, channels, o.hidden_omega, o.precision)
        if o.winner:
            _add_noise(waves.weight, NOISE[0] / o.omega)
            _add_noise(network.weights[0], NOISE[1] / o.hidden_omega)
        self.field = Field(o, grid, waves, network)

    def density(self, points: Tensor) -> Tensor:
        """Density at (..., 3) in Å, zero outside the box: (..., channels)."""
        return self.field.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on any lattice, or on some of its slices: (channels, slices, z, x)."""
        return self.field.voxels(grid, slices)


@torch.no_grad()
def _add_noise(weight: Tensor, size: float) -> None:
    weight.add_(torch.randn_like(weight), alpha=size)
