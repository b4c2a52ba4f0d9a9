"""Where a tilt series stands before anything is reconstructed: shifts and turns, automatically."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tomoinr.builtin.coarse_shift import Field, axes, centres_of_mass, neighbours, survey
from tomoinr.builtin.coarse_turn import REACH, Turns, find_turns
from tomoinr.builtin.spikes import despiked
from tomoinr.data import Alignment, TiltSeries
from tomoinr.geometry import Poses, turn_z

LEAST_IMAGES = 5  # with fewer, nothing can be said
SAME = 0.05  # degrees: turns that differ by less are not told apart
CERTAIN = 0.6  # standard error, degrees, above which the mean turn is not believed
STRANGE = 0.1  # the part of an image that the others may leave unexplained
GUESSWORK = torch.tensor([1.2, 0.7])  # rms of dx, dy that correlation finds in aligned series, px


def coarse_alignment(series: TiltSeries) -> Alignment:
    """Shifts by centre of mass (or correlation), turns by what the rows have in common.

    Images whose tilt axis is known to be turned are turned back first.
    """
    degrees, axis = series.angles.cpu(), series.tilt_axis
    images = combined(series)
    field = survey(unturned(images, axis) if axis else images)
    if int(field.usable.sum()) < LEAST_IMAGES:
        nominal = Poses.of(degrees.float(), axis)
        return Alignment(
            nominal, ("too few usable images to align: angles as recorded, no shifts",)
        )
    turns, shift, usable, notes = (aligned_by_parts if field.truncated else aligned_whole)(
        field, degrees
    )
    turns, shift = filled(degrees, usable, turns[:, None])[:, 0], filled(degrees, usable, shift)
    shift = settled(shift, degrees, turns)
    if not bool(usable.all()):
        odd = [series.sections[i] for i in (~usable).nonzero()[:, 0].tolist()]
        shown = ", ".join(map(str, odd))
        notes += (f"images {shown} are blank or unlike the others: placed as their neighbours",)
    shift, turns = shift @ turn_z(torch.tensor(float(axis)))[:2, :2].T, turns + axis
    notes = (f"shifts of up to {float(shift.norm(dim=1).max()):.1f} px", *notes)
    return Alignment(Poses.of(degrees.float(), turns, shift=shift * series.pixel_size), notes)


Found = tuple[Tensor, Tensor, Tensor, tuple[str, ...]]  # turns, shifts, which are usable, notes


def aligned_whole(field: Field, degrees: Tensor) -> Found:
    """A specimen that is seen whole: centre of mass, then turns; odd images are found out."""
    mass = field.images.sum((1, 2), keepdim=True)
    images = field.images / torch.where(field.usable[:, None, None], mass / mass.max(), 1)
    usable, points = field.usable, centres_of_mass(images)
    turns, shift = torch.zeros(len(degrees)), points.clone()
    while True:
        found = find_turns(images[usable], degrees[usable], points[usable])
        strange = found.surprise > STRANGE
        if not bool(strange.any()) or int((~strange).sum()) < LEAST_IMAGES:
            break
        usable = usable.clone()
        usable[usable.nonzero()[:, 0][found.surprise == found.surprise.max()]] = False
    mean = float(found.angles.mean())
    believed = found.error < CERTAIN and abs(mean) < REACH + 1
    if not believed:
        found = find_turns(images[usable], degrees[usable], points[usable], common=False)
    turns[usable], shift[usable] = found.angles, found.shift
    return turns, shift, usable, ("shifts by centre of mass", turn_note(found, mean, believed))


def turn_note(found: Turns, mean: float, believed: bool) -> str:
    """What is known of the tilt axis, in words."""
    if not believed:
        return "the specimen does not show how the tilt axis is turned: its azimuth is kept"
    spread = float((found.angles - mean).square().mean().sqrt())
    axis = f"tilt axis turned by {mean:.1f}° ± {max(found.error, 0.1):.1f}°"
    if spread < SAME:
        return f"{axis}; single images do not clearly differ from that"
    return f"{axis}, single images by {spread:.1f}° (rms) more"


def aligned_by_parts(field: Field, degrees: Tensor) -> Found:
    """A truncated field: shifts from rows and neighbours where they are large enough, no turns."""
    usable, turns = field.usable, torch.zeros(len(degrees))
    shift = torch.zeros(len(degrees), 2)
    some = degrees[usable]
    found = settled(neighbours(field.images[usable], some, turns[usable]), some, turns[usable])
    clear = found.square().mean(0).sqrt() > GUESSWORK
    shift[usable] = found * clear
    notes = [f"field truncated: {field.truncated}; shifts by correlation, turns kept at 0°"]
    for name, trusted in zip(("dx", "dy"), clear.tolist(), strict=True):
        if not trusted:
            notes.append(f"{name} found is too small to be trusted: kept at 0")
    return turns, shift, usable, tuple(notes)


def combined(series: TiltSeries) -> Tensor:
    """All channels as one, each of the same weight: (T, H, W)."""
    images = despiked(series.images.cpu())
    weights = images.std((1, 2, 3)).clamp(min=1e-30).reciprocal()
    return torch.einsum("cthw,c->thw", images, weights)


def unturned(images: Tensor, axis: float) -> Tensor:
    """Images (T, H, W) turned about their centre so that the tilt axis (degrees from y) is y."""
    rows, columns = (torch.arange(n) - (n - 1) / 2 for n in images.shape[1:])
    at = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    at = at @ turn_z(torch.tensor(float(axis)))[:2, :2].T
    size = torch.tensor([images.shape[2] / 2, images.shape[1] / 2])
    grid = (at / size).expand(len(images), -1, -1, -1)
    turned = torch.nn.functional.grid_sample(
        images[:, None], grid, "bicubic", "border", align_corners=False
    )
    return turned[:, 0]


def filled(degrees: Tensor, usable: Tensor, values: Tensor) -> Tensor:
    """Values (T, K) with those of unusable images interpolated from the tilts on both sides."""
    order = torch.argsort(degrees[usable])
    known, at = degrees[usable][order].numpy(), values[usable][order].numpy()
    columns = [np.interp(degrees.numpy(), known, column) for column in at.T]
    between = torch.from_numpy(np.stack(columns, 1)).to(values)
    return torch.where(usable[:, None], values, between)


def settled(shift: Tensor, degrees: Tensor, turns: Tensor) -> Tensor:
    """Shifts (T, 2) less the one move of the specimen that leaves dx off cos and sin, dy off 1."""
    cos, sin, one = _waves(degrees)
    x, y = torch.eye(2).double()
    unwanted = torch.stack((cos * x, sin * x, one * y), 1)  # (T, 3, 2)
    return _moved(shift, shift, unwanted, moves(degrees, turns))


def matched(shift: Tensor, wanted: Tensor, degrees: Tensor, turns: Tensor, where: Tensor) -> Tensor:
    """Shifts (T, 2) after the one move of the specimen that brings them next to those wanted.

    `where` (T,) tells which images are compared.
    """
    all_moves = moves(degrees, turns)
    some = all_moves * where[:, None, None]
    return _moved(shift, shift - wanted, some, all_moves)


def moves(degrees: Tensor, turns: Tensor) -> Tensor:
    """What a move of the specimen along x, z and y does to every image's shift: (T, 3, 2)."""
    (cos, sin, _), (across, along) = _waves(degrees), axes(turns.double())
    return torch.stack((across * cos, -across * sin, along), 1)


def _moved(shift: Tensor, off: Tensor, tests: Tensor, moves: Tensor) -> Tensor:
    """Shifts less the move after which what is `off` passes all `tests` (both (T, 3, 2))."""
    matrix = torch.einsum("tkc,tmc->km", tests, moves)
    move = torch.linalg.pinv(matrix) @ torch.einsum("tkc,tc->k", tests, off.double())
    return (shift - torch.einsum("m,tmc->tc", move, moves)).to(shift)


def _waves(degrees: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """cos, sin and one at every tilt, each (T, 1)."""
    tilt = torch.deg2rad(degrees.double())[:, None]
    return tilt.cos(), tilt.sin(), torch.ones_like(tilt)
