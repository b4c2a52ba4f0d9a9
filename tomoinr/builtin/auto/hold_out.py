"""How strongly edges are kept down: as strongly as predicts images best that were not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tomoinr.builtin.auto.balance import Even, as_it_is
from tomoinr.builtin.auto.band import band
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.noise import usual_by_tilt
from tomoinr.builtin.tv import minimise
from tomoinr.builtin.tv_state import TvState
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Team

LADDER = (0.45, 0.32, 0.23, 0.16, 0.11, 0.08)  # from strong to weak: each sets out from the last
EVERY = 8  # one image in so many is held out
FEWEST = 16  # images, below which none can be spared: two are held out of so many
USUAL = 0.22  # where none can be
FIRST, NEXT = 60, 30  # iterations of total variation, from nothing and from the last


def strength(caution: float, error: Tensor, problem: Problem) -> Tensor:
    """The weight of TV, one a channel, from the rms standard error of a pixel.

    A voxel that every view sees is known to within error / √views, in units of density.
    """
    return caution * error / problem.series.pixel_size / len(problem.series.angles) ** 0.5


def best_caution(
    problem: Problem, team: Team, weights: Tensor, error: Tensor, even: Even = as_it_is
) -> float:
    """The caution whose volume, of seven images in eight, predicts the eighth best.

    It starts from nothing, since a volume that has seen all images knows too much; images unlike
    the others have no say.
    """
    order = usual_by_tilt(problem.series)
    if len(order) < FEWEST:
        return USUAL
    held = torch.arange(len(order)) % EVERY == EVERY // 2
    some, rows = band(problem, team)
    some = replace(some, series=even(some.series))
    weights = weights[:, :, rows]
    seen, unseen = part_of(some, order[~held]), part_of(some, order[held])
    seen_weights, unseen_weights = weights[:, order[~held]], weights[:, order[held]]
    misses: list[float] = []
    last: TvState | None = None
    for caution in LADDER:
        state = TvState(seen, team, strength(caution, error, seen), seen_weights, last)
        minimise(seen, state, team, FIRST if last is None else NEXT)
        with torch.no_grad():
            miss = unseen.series.images - unseen.predict()
        misses.append(float((unseen_weights * miss.square()).mean()))
        last = state
        if misses[-1] > min(misses):  # weaker ones would be worse still
            break
    return lowest(np.log(LADDER[: len(misses)]), np.array(misses))


def part_of(problem: Problem, some: Tensor) -> Problem:
    """The problem of some of the images, in their present poses; the volume is the same."""
    device = problem.series.images.device
    poses = problem.poses().to(device)
    own = Fixed(NoOptions(), poses.some(some), problem.grid)
    return replace(problem, series=problem.series.select(some.tolist()), poses=own.to(device))


def lowest(places: np.ndarray, heights: np.ndarray) -> float:
    """Where a parabola through the lowest point and its neighbours is lowest, as e to that."""
    at = int(heights.argmin())
    if at in (0, len(heights) - 1):
        return float(np.exp(places[at]))
    near = slice(at - 1, at + 2)
    curve, slope, _ = np.polyfit(places[near] - places[at], heights[near], 2)
    return float(np.exp(places[at] - slope / (2 * curve)))
