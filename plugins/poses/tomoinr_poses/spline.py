"""Poses that change smoothly from one image to the next, as a drifting stage does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import PoseModel
from tomoinr.options import option
from tomoinr_poses.gauge import Shifts, translations
from tomoinr_poses.units import degrees_per_pixel


class Spline(PoseModel):
    """Shift and in-plane rotation as cubic B-splines of the image's index."""

    name = "spline"

    @dataclass(frozen=True)
    class Options:
        """Options of the spline pose model."""

        knots: int = option(
            8, "coefficients along the series, at most one an image; fewer are smoother", low=2
        )

    rotation: Tensor
    basis: Tensor

    def __init__(self, options: Options, nominal: Poses, grid: Grid) -> None:
        super().__init__()
        self.options = options
        self._degrees = degrees_per_pixel(grid)
        tilts = len(nominal.shift)
        knots = min(options.knots, tilts)
        self.shifts = Shifts(nominal, grid.spacing, translations(nominal))
        self.pixels = nn.Parameter(nominal.shift.new_zeros(knots, 2))
        self.arc = nn.Parameter(nominal.shift.new_zeros(knots))
        self.register_buffer("rotation", nominal.rotation.detach().clone())
        self.register_buffer("basis", cubic(tilts, knots).to(nominal.shift))

    def forward(self) -> Poses:
        """The nominal poses, turned and moved along the splines."""
        poses = Poses(self.rotation, self.shifts(self.basis @ self.pixels))
        return poses.turned(self._degrees * (self.basis @ self.arc))


def cubic(count: int, knots: int) -> Tensor:
    """Natural cubic splines (count, knots), knots at equal steps from the first to the last image.

    Beyond either end the coefficients go on in a straight line, so that straight drifts are exact
    and as many knots as images are any drift at all, well-conditioned.
    """
    places = torch.linspace(0, knots - 1, count, dtype=torch.float64)
    away = (places[:, None] - torch.arange(-1, knots + 1)).abs()
    bumps = ((2 - away).clamp(min=0) ** 3 - 4 * (1 - away).clamp(min=0) ** 3) / 6
    onwards = torch.eye(knots, dtype=torch.float64)
    first, last = 2 * onwards[0] - onwards[1], 2 * onwards[-1] - onwards[-2]
    return bumps @ torch.cat((first[None], onwards, last[None]))
