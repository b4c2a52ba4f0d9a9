"""Euler angles z1-x-z3 with one fixed reference, as in arXiv 2512.08113.

There `x` is the tilt, about the axis that is y here; z1 turns the specimen about the beam
before it is tilted, z3 turns the image after: R = Rz(z3) R_nominal Rz(z1). A z1 makes the tilt
axis leave the detector plane by about z1 · sin α.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses, turn_z
from tomoinr.interfaces import Ability, PoseModel
from tomoinr.options import option
from tomoinr_poses.gauge import Shifts, translations
from tomoinr_poses.units import degrees_per_pixel


class Euler(PoseModel):
    """Shift, and rotations about the beam before (z1) and after (z3) the tilt."""

    name = "euler"
    needs = frozenset({Ability.TILTED_AXIS})

    @dataclass(frozen=True)
    class Options:
        """Options of the Euler pose model."""

        reference: int | None = option(
            None, "index of the image whose pose stays; none: the one nearest to zero tilt", low=0
        )

    rotation: Tensor
    free: Tensor

    def __init__(self, options: Options, nominal: Poses, grid: Grid) -> None:
        super().__init__()
        self.options = options
        self._degrees = degrees_per_pixel(grid)
        fixed = _reference(options, nominal)
        self.shifts = Shifts(nominal, grid.spacing, _pinned(nominal, fixed))
        self.pixels = nn.Parameter(torch.zeros_like(nominal.shift))
        self.arcs = nn.Parameter(torch.zeros_like(nominal.shift))
        free = torch.ones_like(nominal.shift[:, 0])
        free[fixed] = 0
        self.register_buffer("free", free)
        self.register_buffer("rotation", nominal.rotation.detach().clone())

    def forward(self) -> Poses:
        """The nominal poses, turned about the beam on either side of the tilt, and moved."""
        z1, z3 = self._degrees * self.free * self.arcs.T
        return Poses(turn_z(z3) @ self.rotation @ turn_z(z1), self.shifts(self.pixels))


def _reference(options: Euler.Options, nominal: Poses) -> int:
    count = len(nominal.shift)
    if options.reference is None:
        return int(nominal.angles().tilt.abs().argmin())
    if options.reference >= count:
        raise TomoinrError(
            f"euler: option 'reference' is {options.reference}, but there are {count} images, "
            "counted from 0"
        )
    return options.reference


def _pinned(nominal: Poses, fixed: int) -> Tensor:
    """The reference's own shift, and the one motion it does not see: along its beam. (2T, 3)."""
    own = functional.one_hot(torch.tensor([2 * fixed, 2 * fixed + 1]), nominal.shift.numel())
    unseen = translations(nominal) @ nominal.rotation[fixed, 2]
    return torch.cat((own.T.to(unseen), unseen[:, None]), dim=1)
