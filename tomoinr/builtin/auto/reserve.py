"""Whether images tell what a pose model holds in reserve, as the tilt angles of single images.

Two volumes are made of half the images each, and each judges the images of the other half: the
poses that one half of their rows ask for must explain the other half of the rows better with the
reserve than without. Images that a volume was made from would not do: it follows their poses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tomoinr.builtin.auto.balance import Even, as_it_is
from tomoinr.builtin.auto.band import band
from tomoinr.builtin.auto.hold_out import USUAL, part_of, strength
from tomoinr.builtin.noise import precision, usual_by_tilt
from tomoinr.builtin.pose_steps import (
    Asked,
    Evidence,
    Proposal,
    motions_of,
    normal_equations,
    solved,
    step_by,
)
from tomoinr.builtin.tv import minimise
from tomoinr.builtin.tv_state import TvState
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.team import Team

FEWEST = 10  # images, below which their verdict is chance
ITERATIONS = 40  # of total variation, for each of the two volumes
BANDS = 8  # of rows: every other one asks, the others judge
CLEAR = 2.0  # standard errors by which the images' mean gain must be above zero
MOST = 0.6  # of the images must gain: the missing wedge pulls hard on a few


class Verdict(NamedTuple):
    """What the reserve gained in each image (χ²), and the step of all parameters."""

    gains: Tensor  # (images,)
    step: Proposal

    @property
    def worthwhile(self) -> bool:
        """Whether clearly, and in most images."""
        count = len(self.gains)
        clear = bool(self.gains.mean() > CLEAR * self.gains.std() / count**0.5)
        return clear and int((self.gains > 0).sum()) >= MOST * count

    @property
    def told(self) -> str:
        """How many images gained, in words."""
        return f"{int((self.gains > 0).sum())} of {len(self.gains)} images"


def reserve(model: PoseModel) -> list[nn.Parameter]:
    """What the model could learn, but is not asked to."""
    return [p for p in model.parameters() if not p.requires_grad]


def set_free(parameters: list[nn.Parameter], free: bool = True) -> None:
    """Let them be learned, or hold them."""
    for parameter in parameters:
        parameter.requires_grad_(free)


def judged(
    problem: Problem, team: Team, weights: Tensor, error: Tensor, even: Even = as_it_is
) -> Verdict | None:
    """The images' verdict on the reserve, which stays held; none if they are too few."""
    order = usual_by_tilt(problem.series)
    if len(order) < FEWEST:
        return None
    held = reserve(problem.poses)
    known = motions_of(problem)
    set_free(held)
    motions = motions_of(problem)
    set_free(held, False)
    some, seen_rows = band(problem, team)
    some = replace(some, series=even(some.series))
    weights = weights[:, :, seen_rows]
    kinds = motions.shape[1]
    asked = [motions.new_zeros(2, len(weights[0]), *(kinds,) * n) for n in (2, 1)]
    for half in (0, 1):
        seen, unseen = order[half::2], order[1 - half :: 2]
        _learn(some, team, seen, weights[:, seen], error)
        some.projector.forget()  # or these matrices are there beside those of the other half
        judge = part_of(some, unseen)
        for rows in (0, 1):
            mine = _every_other_band(weights[:, unseen], rows)
            sure = Evidence(judge, mine, precision(error))
            for total, one in zip(asked, normal_equations(sure, team, kinds), strict=True):
                total[rows, unseen] = one
    gains = _gains(motions, *asked) - _gains(known, *asked)
    return Verdict(gains[order], step_by(Asked(motions, *(total.sum(0) for total in asked))))


def _learn(problem: Problem, team: Team, seen: Tensor, weights: Tensor, error: Tensor) -> None:
    """The volume of some of the images, from nothing."""
    (voxels,) = problem.volume.parameters()
    with torch.no_grad():
        voxels.zero_()
    some = part_of(problem, seen)
    state = TvState(some, team, strength(USUAL, error, some), weights)
    minimise(some, state, team, ITERATIONS)


def _every_other_band(weights: Tensor, first: int) -> Tensor:
    """Weights (channels, T, rows, columns) of every other band of rows; zero for the others."""
    rows = weights.shape[2]
    band = torch.arange(rows, device=weights.device) * BANDS // rows
    return weights * (band % 2 == first)[:, None]


def _gains(motions: Tensor, matrix: Tensor, vector: Tensor) -> Tensor:
    """Drop of χ² (T,) in either half of the rows, with the motion that the other half asks for.

    `matrix` (2, T, kinds, kinds) and `vector` (2, T, kinds) are of the halves.
    """
    kinds, gain = motions.shape[1], motions.new_zeros(len(motions))
    matrix, vector = matrix[..., :kinds, :kinds], vector[..., :kinds]
    for asks in (0, 1):
        motion = motions @ solved(Asked(motions, matrix[asks], vector[asks]))
        bend = torch.einsum("ti,tij,tj->t", motion, matrix[1 - asks], motion)
        gain = gain + 2 * (motion * vector[1 - asks]).sum(1) - bend
    return gain
