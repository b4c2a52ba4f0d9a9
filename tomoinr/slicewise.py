"""A problem that falls apart into slices: each is seen by its own detector row."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Views
from tomoinr.interfaces import Ability, Problem
from tomoinr.team import Team

TOLERANCE = 1e-3  # pixels: far below what matters, far above the rounding of poses


class Slicewise(NamedTuple):
    """The geometry of every slice, one value a view."""

    tilt: Tensor  # radians
    middle: Tensor  # where the box's centre lands, in pixels from the detector's middle


def slicewise(views: Views, grid: Grid, who: str) -> Slicewise:
    """The 2-D geometry of views that share the tilt axis y; others are refused in `who`'s name."""
    _check_detector(views, grid, who)
    centre = views.centre.new_tensor(grid.centre) - views.centre
    _check_axis(views, who)
    _check_shift(centre[:, 1] / grid.spacing, who)
    middle = (centre * views.u).sum(1) / grid.spacing**2
    tilt = torch.atan2(views.ray[:, 0], views.ray[:, 2])
    return Slicewise(tilt.detach(), middle.detach())


def raster(problem: Problem, who: str) -> nn.Parameter:
    """The voxels (channels, y, z, x) that a slice-by-slice solver may write its result into."""
    volume, shape = problem.volume, (problem.volume.channels, *problem.grid.shape)
    parameters = list(volume.parameters())
    if (
        Ability.LINEAR not in volume.abilities
        or volume.grid != problem.grid
        or [tuple(p.shape) for p in parameters] != [shape]
    ):
        raise TomoinrError(
            f"{who} writes its result voxel by voxel, which the volume '{volume.name}' cannot "
            "take; use the volume 'voxels'"
        )
    return parameters[0]


def join_(voxels: Tensor, share: slice, team: Team) -> None:
    """Every rank's share of the slices of (channels, y, z, x) becomes everyone's."""
    voxels[:, : share.start] = voxels[:, share.stop :] = 0
    team.sum_([voxels])


def misfit(problem: Problem, team: Team) -> Tensor:
    """The mean squared residual over every rank's rows, as the problem's projector sees it: 0-d."""
    everything = Pixels.rows(problem.series.shape)
    pixels = everything.part(team.share(len(everything))).to(problem.series.images.device)
    with torch.no_grad():
        squares = (problem.predict(pixels) - problem.series.at(pixels)).square()
    total = torch.stack((squares.sum(), squares.new_tensor(float(squares.numel()))))
    team.sum_([total])
    return total[0] / total[1]


def _check_detector(views: Views, grid: Grid, who: str) -> None:
    rows, slices = views.shape[1], grid.shape[0]
    if rows != slices:
        raise TomoinrError(
            f"{who} works slice by slice, so it needs one slice for each of the images' {rows} "
            f"rows, but the volume has {slices}"
        )
    pixel = float(views.v.norm(dim=1).mean())
    if abs(pixel / grid.spacing - 1) * max(views.shape[1:]) > TOLERANCE:
        raise TomoinrError(
            f"{who} works slice by slice, so voxels must be as large as pixels: "
            f"{pixel:g} Å, not {grid.spacing:g} Å"
        )


def _check_axis(views: Views, who: str) -> None:
    """A turned row leaves its slice, most at its ends; so does a ray."""
    row = views.u / views.u.norm(dim=1, keepdim=True)
    slope = torch.maximum(row[:, 1].abs(), views.ray[:, 1].abs())
    if float(slope.max()) * views.shape[2] / 2 > TOLERANCE:
        view = int(slope.argmax())
        raise TomoinrError(
            f"{who} works slice by slice, so the tilt axis must run along the images' columns, but "
            f"in view {view} it is off by {torch.rad2deg(slope[view].asin()):.3g}°; turn the "
            "images first, or use the solver 'sirt' with the projector 'slices' or 'quadrature'"
        )


def _check_shift(rows: Tensor, who: str) -> None:
    if float(rows.abs().max()) > TOLERANCE:
        view = int(rows.abs().argmax())
        raise TomoinrError(
            f"{who} works slice by slice, so images must not be moved along the tilt axis, but "
            f"view {view} is, by {rows[view]:.3g} pixels; move the images first, or use the "
            "solver 'sirt' with the projector 'slices'"
        )
