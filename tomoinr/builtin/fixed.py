"""Poses that stay as given."""

from __future__ import annotations

from torch import Tensor

from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import PoseModel
from tomoinr.options import NoOptions


class Fixed(PoseModel):
    """The nominal poses, or those of an earlier alignment."""

    name = "fixed"

    rotation: Tensor
    shift: Tensor

    def __init__(self, options: NoOptions, nominal: Poses, grid: Grid) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("rotation", nominal.rotation.clone())
        self.register_buffer("shift", nominal.shift.clone())

    def forward(self) -> Poses:
        """The poses given."""
        return Poses(self.rotation, self.shift)
