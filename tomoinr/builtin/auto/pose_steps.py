"""Gauss–Newton steps of poses: every image against what a volume, held as it is, predicts."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tomoinr.geometry import Pixels, place
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.team import Team

DAMPING = 0.003  # of the diagonal of the normal equations
LONGEST = 1.0  # pixels by which one step may move an image, or turn its rim
STEP = 0.25  # pixels to either side, from which slopes are found


class Proposal(NamedTuple):
    """Changes of a pose model's parameters, and by how much they move the usual image (pixels)."""

    changes: list[Tensor]
    motion: float

    def accept(self, model: PoseModel) -> None:
        """Make them."""
        with torch.no_grad():
            for parameter, change in zip(_free(model), self.changes, strict=True):
                parameter.add_(change)


def propose(problem: Problem, team: Team, weights: Tensor) -> Proposal:
    """One damped step, from pixels weighed by `weights` (channels, T, rows, columns).

    Shifts and rotations in the detector's plane; what else a model may learn stays.
    """
    matrix, vector = _normal_equations(problem, team, weights)
    motions = _motions(problem)
    together = torch.einsum("tip,tij,tjq->pq", motions, matrix, motions)
    size = together.diagonal()
    size = size.clamp(min=1e-12 * float(size.max()) + 1e-30).sqrt()
    damped = together / size / size[:, None] + DAMPING * torch.eye(len(size)).to(together)
    change = torch.linalg.solve(damped, torch.einsum("tip,ti->p", motions, vector) / size) / size
    motion = motions @ change
    change = change * min(1.0, LONGEST / max(float(motion.abs().max()), 1e-30))
    free = _free(problem.poses)
    parts = change.split([p.numel() for p in free])
    changes = [part.view_as(p).to(p) for part, p in zip(parts, free, strict=True)]
    # The median: one odd image may ask for anything.
    return Proposal(changes, float(motion.square().mean(1).median().sqrt()))


@torch.no_grad()
def _normal_equations(problem: Problem, team: Team, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix (T,3,3) and vector (T,3) of each image's motion: right, down, turned, in pixels."""
    everything = Pixels.rows(problem.series.shape)
    pixels = everything.part(team.share(len(everything))).to(team.device)
    poses, size = problem.poses(), problem.series.pixel_size

    def seen(*motion: float) -> Tensor:
        right, down, turned = motion
        moved = poses.moved(right * size, down * size, turned / _reach(problem))
        views = place(moved, problem.series.shape, size)
        return problem.projector.project(problem.volume, views, pixels)

    # Differences of whole predictions: slopes of one image are not right enough where the object
    # is nearly round, and shifts explain most of what a turn does.
    motions = [tuple(STEP * (i == k) for i in range(3)) for k in range(3)]
    slopes = [seen(*m) - seen(*(-x for x in m)) for m in motions]
    residual = problem.series.at(pixels) - problem.predict(pixels)
    slope = torch.stack(slopes) / (2 * STEP)
    weighed = slope * weights[:, pixels.view, pixels.row, pixels.column]
    matrix = torch.einsum("ictrw,jctrw->tij", weighed, slope)
    vector = torch.einsum("ictrw,ctrw->ti", weighed, residual)
    team.sum_([matrix, vector])
    return matrix.double(), vector.double()


def _motions(problem: Problem) -> Tensor:
    """Motion of each image (T, 3, parameters), in pixels, per unit of each free parameter."""
    free, angles = _free(problem.poses), problem.poses().angles()
    pixel = problem.series.pixel_size
    moved = (angles.dx / pixel, angles.dy / pixel, angles.rotation * _reach(problem))
    rows = torch.stack(moved, dim=1).flatten()
    slopes = [torch.autograd.grad(r, free, retain_graph=True, allow_unused=True) for r in rows]
    flat = [torch.cat([_filled(g, p) for g, p in zip(row, free, strict=True)]) for row in slopes]
    return torch.stack(flat).view(len(angles.dx), 3, -1).double()


def _reach(problem: Problem) -> float:
    """Pixels by which a turn of one degree moves the end of a row."""
    return math.radians(problem.series.shape[2] / 2)


def _filled(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return (torch.zeros_like(parameter) if gradient is None else gradient).flatten()


def _free(model: PoseModel) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]
