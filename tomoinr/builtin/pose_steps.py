"""Gauss–Newton steps of poses: every image against what a volume, held as it is, predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tomoinr.builtin.rows import row_parts
from tomoinr.geometry import Pixels, Poses, place
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.team import Team

DAMPING = 0.003  # of the diagonal of the normal equations
LONGEST = 1.0  # pixels by which one step may move an image, or turn its rim
NOTHING = 1e-5  # pixels: what rounding makes of tilt angles that are not learned
STEP = 0.25  # pixels to either side, from which slopes are found


class Evidence(NamedTuple):
    """Images, a volume that explains them, and the inverse variance of every pixel.

    That is weights (channels, T, rows, columns) × `precision` (channels,), up to a factor that all
    the evidence shares.
    """

    problem: Problem
    weights: Tensor
    precision: Tensor | None = None

    def at(self, pixels: Pixels) -> Tensor:
        """The inverse variance of some pixels: (channels, *pixels.shape)."""
        found = self.weights[:, pixels.view, pixels.row, pixels.column]
        return found if self.precision is None else found * self.precision[:, None, None, None]


class Asked(NamedTuple):
    """What images ask of a pose model's free parameters: normal equations of their motions."""

    motions: Tensor  # (T, kinds, parameters), in pixels, per unit of each parameter
    matrix: Tensor  # (T, kinds, kinds)
    vector: Tensor  # (T, kinds)


class Proposal(NamedTuple):
    """A change of a pose model's parameters, and by how much it moves the usual image (pixels).

    `common` is the part of it that turns all images alike, as pixels at the end of a row, and
    `turn` the change that turns them by one.
    """

    change: Tensor
    motion: float
    common: float
    turn: Tensor

    def lengthened(self, times: float) -> Proposal:
        """The common turn made longer.

        A volume that has settled follows the tilt axis it was given, and hides most of what that
        is off.
        """
        return self._replace(change=self.change + (times - 1) * self.common * self.turn)

    def accept(self, model: PoseModel) -> None:
        """Make the change."""
        free = _free(model)
        parts = self.change.split([p.numel() for p in free])
        with torch.no_grad():
            for parameter, part in zip(free, parts, strict=True):
                parameter.add_(part.view_as(parameter))


def propose(
    problem: Problem, team: Team, weights: Tensor, others: Sequence[Evidence] = ()
) -> Proposal:
    """One damped step of a problem's poses, from all evidence there is of them.

    Shifts, turns in the detector's plane and, if the model learns them, tilt angles.
    """
    return step_by(*(asked(one, team) for one in (Evidence(problem, weights), *others)))


def step_by(first: Asked, *others: Asked) -> Proposal:
    """What images ask for, no longer than allowed; motion is that of the first of them."""
    motions, change = first.motions, solved(first, *others)
    motion, *further = (one.motions @ change for one in (first, *others))
    farthest = max(float(each.abs().max()) for each in (motion, *further))
    change = change * min(1.0, LONGEST / max(farthest, 1e-30))
    # The median: one odd image may ask for anything.
    free = motions.abs().amax((1, 2)) > 0
    usual = float(motion[free].square().mean(1).median().sqrt()) if bool(free.any()) else 0.0
    turn = _common_turn(motions)
    return Proposal(change, usual, float((motions @ change)[:, 2].mean()), turn.expand_as(change))


def solved(*asked: Asked) -> Tensor:
    """The damped solution (parameters,) of normal equations that may tell nothing of some."""
    every = [torch.einsum("tip,tij,tjq->pq", a.motions, a.matrix, a.motions) for a in asked]
    matrix = torch.stack(every).sum(0)
    vector = torch.stack([torch.einsum("tip,ti->p", a.motions, a.vector) for a in asked]).sum(0)
    size = matrix.diagonal()
    size = size.clamp(min=1e-12 * float(size.max()) + 1e-30).sqrt()
    damped = matrix / size / size[:, None] + DAMPING * torch.eye(len(size)).to(matrix)
    return torch.linalg.solve(damped, vector / size) / size


def asked(evidence: Evidence, team: Team) -> Asked:
    """What images ask for, with the volume held as it is."""
    motions = motions_of(evidence.problem)
    return Asked(motions, *normal_equations(evidence, team, motions.shape[1]))


def _common_turn(motions: Tensor) -> Tensor:
    """The change of parameters that turns all images alike and does nothing else; zero if none."""
    wanted = torch.zeros_like(motions[..., 0])
    wanted[:, 2] = 1
    change = torch.linalg.pinv(motions.flatten(0, 1)) @ wanted.flatten()
    return change if torch.allclose(motions @ change, wanted, atol=1e-4) else change.new_zeros(())


@torch.no_grad()
def normal_equations(evidence: Evidence, team: Team, kinds: int) -> tuple[Tensor, Tensor]:
    """Matrix (T,k,k) and vector (T,k) of motions: right, down, turned, maybe tilted, in pixels."""
    problem = evidence.problem
    everything = Pixels.rows(problem.series.shape)
    mine = everything.part(team.share(len(everything))).to(team.device)
    images = len(problem.series.angles)
    matrix, vector = (torch.zeros(images, *(kinds,) * n, device=team.device) for n in (2, 1))
    for pixels in row_parts(mine):
        residual = problem.series.at(pixels) - problem.predict(pixels)
        weighed = evidence.at(pixels)
        found = equations(slopes(problem, pixels, kinds), residual, weighed)
        for total, one in zip((matrix, vector), found, strict=True):
            total += one
    team.sum_([matrix, vector])
    return matrix.double(), vector.double()


def equations(slope: Tensor, residual: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same, from slopes (kinds, channels, T, rows, columns) and what they are to explain."""
    weighed = slope * weights
    matrix = torch.einsum("ictrw,jctrw->tij", weighed, slope)
    return matrix, torch.einsum("ictrw,ctrw->ti", weighed, residual)


@torch.no_grad()
def slopes(problem: Problem, pixels: Pixels, kinds: int) -> Tensor:
    """By how much a prediction changes with each motion, per pixel of it: (kinds, channels, …)."""
    poses, size = problem.poses(), problem.series.pixel_size

    def seen(*motion: float) -> Tensor:
        right, down, *angles = motion
        moved = poses.moved(right * size, down * size, *(a / _reach(problem) for a in angles))
        views = place(moved, problem.series.shape, size)
        return problem.projector.project(problem.volume, views, pixels)

    # Differences of whole predictions: slopes of one image are not right enough where the object
    # is nearly round, and shifts explain most of what a turn does.
    motions = [tuple(STEP * (i == k) for i in range(kinds)) for k in range(kinds)]
    found = [seen(*m).sub_(seen(*(-x for x in m))) for m in motions]
    return torch.stack(found).div_(2 * STEP)


def motions_of(problem: Problem) -> Tensor:
    """Motion of each image (T, kinds, parameters), in pixels, per unit of each free parameter."""
    free, moved = _free(problem.poses), whereabouts(problem.poses(), problem)
    rows = moved.flatten()
    found = [torch.autograd.grad(r, free, retain_graph=True, allow_unused=True) for r in rows]
    flat = [torch.cat([_filled(g, p) for g, p in zip(row, free, strict=True)]) for row in found]
    motions = torch.stack(flat).view(*moved.shape, -1).double()
    return motions if float(motions[:, 3].abs().max()) > NOTHING else motions[:, :3]


def whereabouts(poses: Poses, problem: Problem) -> Tensor:
    """Where images are: right, down, turned and tilted, in the problem's pixels (T, 4)."""
    angles, pixel, reach = poses.angles(), problem.series.pixel_size, _reach(problem)
    found = (angles.dx / pixel, angles.dy / pixel, angles.rotation * reach, angles.tilt * reach)
    return torch.stack(found, dim=1)


def _reach(problem: Problem) -> float:
    """Pixels by which a turn of one degree moves the end of a row."""
    return math.radians(problem.series.shape[2] / 2)


def _filled(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return (torch.zeros_like(parameter) if gradient is None else gradient).flatten()


def _free(model: PoseModel) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]
