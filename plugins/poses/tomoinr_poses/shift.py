"""Shifts alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import PoseModel
from tomoinr.options import NoOptions
from tomoinr_poses.gauge import Shifts, translations


class Shift(PoseModel):
    """Each image moves along x and y; its orientation is the nominal one."""

    name = "shift"

    rotation: Tensor

    def __init__(self, options: NoOptions, nominal: Poses, grid: Grid) -> None:
        super().__init__()
        self.options = options
        self.shifts = Shifts(nominal, grid.spacing, translations(nominal))
        self.pixels = nn.Parameter(torch.zeros_like(nominal.shift))
        self.register_buffer("rotation", nominal.rotation.detach().clone())

    def forward(self) -> Poses:
        """The nominal poses, moved."""
        return Poses(self.rotation, self.shifts(self.pixels))
