"""Some rows of all images, and what they need alone: enough to judge by, where images are large."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.relocated import class_of, moved_to
from tomoinr.builtin.slabs import sight, slab_of
from tomoinr.geometry import Pixels, Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Team

ENOUGH, FEWEST = 1 << 21, 32  # voxels of a band, about; rows


def band(problem: Problem, team: Team) -> tuple[Problem, slice]:
    """The rows that show most, with an empty volume of the slices they see, and which they are.

    All of them, if there are few. Nothing is shared with the problem, so that whatever is made for
    some of the images goes with the band.
    """
    count = max(FEWEST, ENOUGH // prod(problem.grid.shape[1:]))
    rows = _telling(problem.series.images, count, team)
    some, device = cropped(problem, rows), problem.series.images.device
    low, high = sight(some, Pixels.rows(some.series.shape).to(device))
    grid = slab_of(problem.grid, slice(int(low.min()), int(high.max())))
    own = class_of(problem.projector)(problem.projector.options, grid)
    return moved_to(replace(some, projector=own), grid, device), rows


def cropped(problem: Problem, rows: slice) -> Problem:
    """Some rows of all images alone, in their present poses: their middle is elsewhere."""
    series, poses = problem.series, problem.poses()
    middle = (rows.start + rows.stop - series.shape[1]) / 2 * series.pixel_size
    shift = poses.shift.detach() - poses.shift.new_tensor((0.0, middle))
    held = Fixed(NoOptions(), Poses(poses.rotation.detach(), shift), problem.grid)
    return replace(
        problem,
        series=replace(series, images=series.images[:, :, rows]),
        poses=held.to(shift.device),
    )


def _telling(images: Tensor, count: int, team: Team) -> slice:
    """So many rows next to each other (channels, T, rows, columns) that vary most; all if fewer."""
    total = images.shape[2]
    if count >= total:
        return slice(0, total)
    shown = images.var(3).mean((0, 1)).cumsum(0)
    within = shown[count - 1 :] - torch.cat((shown.new_zeros(1), shown[:-count]))
    agreed = within.argmax(keepdim=True)
    team.copy_([agreed])  # other machines may round otherwise
    first = int(agreed)
    return slice(first, first + count)
