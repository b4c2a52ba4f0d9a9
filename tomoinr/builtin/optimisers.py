"""Who moves what, and how fast at each moment of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from tomoinr.builtin.adam import SLOWEST, Adam, ShortAdam
from tomoinr.builtin.averaging import Average
from tomoinr.builtin.memory import LARGE
from tomoinr.builtin.muon import Muon
from tomoinr.builtin.optimiser import Memory, Optimiser
from tomoinr.interfaces import Ability, Problem

if TYPE_CHECKING:
    from tomoinr.builtin.joint import Joint

MATRIX = 16  # rows and columns from which a weight matrix is one for Muon


class Optimisers:
    """The volume's and the poses', with warm-up, cosine, and the poses' later start.

    Voxels, in which a LINEAR volume is linear, never go negative.
    """

    def __init__(self, problem: Problem, options: Joint.Options, average: Average) -> None:
        self._options = options
        linear = Ability.LINEAR in problem.volume.abilities
        self._positive = list(problem.volume.parameters()) if linear else []
        self.members = list(_made(problem, options, average, 0.0 if linear else -math.inf))
        poses = [p for p in problem.poses.parameters() if p.requires_grad]
        self._poses = Adam(poses, options.pose_rate, options.betas) if poses else None
        self.members += [self._poses] if self._poses else []
        self._rates = [member.rate for member in self.members]

    def schedule(self, progress: float) -> None:
        """The step sizes that suit this moment (0: the start, 1: the end)."""
        o = self._options
        warm = min(1.0, (progress + 1e-9) / o.warm_up) if o.warm_up else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        factor = warm * (o.last_rate + (1 - o.last_rate) * cosine)
        for optimiser, rate in zip(self.members, self._rates, strict=True):
            waits = optimiser is self._poses and progress < o.pose_start
            optimiser.rate = 0.0 if waits else rate * factor

    def zero_grad(self) -> None:
        """Forget the last step's gradients."""
        for optimiser in self.members:
            optimiser.zero_grad()

    def step(self) -> None:
        """Move everything that has a gradient."""
        for optimiser in self.members:
            optimiser.step()
        for voxels in self._positive:
            if voxels.grad is not None:
                voxels.clamp_(min=0)

    def in_parts(self, parameter: nn.Parameter) -> ShortAdam | None:
        """Who moves a parameter, if it can do so in parts."""
        able = (member for member in self.members if isinstance(member, ShortAdam))
        return next(
            (member for member in able if any(p is parameter for p in member.parameters)), None
        )

    def state_dict(self) -> list[list[Memory]]:
        """Their moments."""
        return [optimiser.state_dict() for optimiser in self.members]

    def load_state_dict(self, state: list[list[Memory]]) -> None:
        """Go on from there."""
        for optimiser, saved in zip(self.members, state, strict=True):
            optimiser.load_state_dict(saved)


def _made(
    problem: Problem, options: Joint.Options, average: Average, least: float
) -> Iterator[Optimiser]:
    """The volume's: Muon for hidden weight matrices, if wanted; Adam for the rest."""
    weights = list(problem.volume.parameters())
    by_muon = [options.optimiser == "muon" and _is_matrix(p) for p in weights]
    matrices = [p for p, chosen in zip(weights, by_muon, strict=True) if chosen]
    others = [p for p, chosen in zip(weights, by_muon, strict=True) if not chosen]
    if matrices:
        yield Muon(matrices, options.matrix_rate * options.rate, momentum=0.95)
    rate = options.rate * problem.volume.rate
    long = LARGE if options.betas[1] <= SLOWEST else math.inf
    if large := [p for p in others if p.numel() >= long]:
        yield ShortAdam(large, rate, options.betas, average, least)
    if small := [p for p in others if p.numel() < long]:
        yield Adam(small, rate, options.betas)


def _is_matrix(parameter: torch.Tensor) -> bool:
    return parameter.dim() == 2 and min(parameter.shape) >= MATRIX
