"""Every image for itself: shift and in-plane rotation, and if asked the tilt and its axis.

Tilts are there but held unless asked for: a solver may find that the images tell them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tomoinr.geometry import Grid, Poses, turn_x, turn_y, turn_z
from tomoinr.interfaces import Ability, PoseModel
from tomoinr.options import option
from tomoinr_poses.gauge import Shifts, span, translations, without
from tomoinr_poses.units import degrees_per_pixel


class Rigid(PoseModel):
    """Shift and in-plane rotation, always; tilt angle and out-of-plane angle, if asked."""

    name = "rigid"

    @dataclass(frozen=True)
    class Options:
        """Options of the rigid pose model."""

        tilt: bool | None = option(
            None, "correct the tilt angle of each image; none: where 'auto' finds that images tell"
        )
        out_of_plane: bool = option(
            False, "let the tilt axis leave the detector plane in each image"
        )

    rotation: Tensor
    azimuth: Tensor
    tilt_modes: Tensor
    axis_modes: Tensor

    def __init__(self, options: Options, nominal: Poses, grid: Grid) -> None:
        super().__init__()
        self.options = options
        if options.out_of_plane:
            self.needs = frozenset({Ability.TILTED_AXIS})
        self._degrees = degrees_per_pixel(grid)
        self.shifts = Shifts(nominal, grid.spacing, translations(nominal))
        self.pixels = nn.Parameter(torch.zeros_like(nominal.shift))
        self.arc = nn.Parameter(torch.zeros_like(nominal.shift[:, 0]))
        held = torch.zeros_like(self.arc)
        self.tilt_arc = None if options.tilt is False else nn.Parameter(held, bool(options.tilt))
        self.axis_arc = nn.Parameter(torch.zeros_like(self.arc)) if options.out_of_plane else None
        angles = nominal.angles()
        self.register_buffer("rotation", nominal.rotation.detach().clone())
        self.register_buffer("azimuth", turn_z(angles.rotation))
        self.register_buffer("tilt_modes", _tilt_modes(angles.tilt))
        self.register_buffer("axis_modes", _axis_modes(angles.tilt))

    def forward(self) -> Poses:
        """Nominal poses, the tilt corrected first; then axis lifted, image turned and moved."""
        rotation = self.rotation
        if self.tilt_arc is not None:
            rotation = rotation @ turn_y(self._degrees * without(self.tilt_arc, self.tilt_modes))
        if self.axis_arc is not None:
            out = turn_x(self._degrees * without(self.axis_arc, self.axis_modes))
            rotation = self.azimuth @ out @ self.azimuth.mT @ rotation
        return Poses(rotation, self.shifts(self.pixels)).turned(self._degrees * self.arc)


def _tilt_modes(degrees: Tensor) -> Tensor:
    """Turning the specimen about y; and a scale of all angles, which the missing wedge invites."""
    return span(torch.stack((torch.ones_like(degrees), degrees), dim=1))


def _axis_modes(degrees: Tensor) -> Tensor:
    """Turning the specimen about x or z: the in-plane part of it is left to the rotation."""
    radians = torch.deg2rad(degrees)
    return span(torch.stack((radians.cos(), radians.sin()), dim=1))
