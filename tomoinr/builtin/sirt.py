"""SIRT: the simultaneous iterative reconstruction technique, on any LINEAR pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.blocks import portions
from tomoinr.builtin.linear import LinearMap, inverse_
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team


class SirtState(Iterate):
    """The matrix, inverse row sums, and inverse column sums of each part of its adjoint.

    The iterate is the parameter of the slab.
    """

    def __init__(self, problem: Problem, team: Team) -> None:
        super().__init__()
        self.map = LinearMap(problem, team)
        voxels = self.map.parameter.data
        self.rows = inverse_(self.map.forward(voxels.new_ones(()).expand_as(voxels)))
        self.columns = [_alike(inverse_(sums)) for _, sums in self.map.adjoints(self.map.ones())]

    def state_dict(self) -> dict[str, Any]:
        """The step; the iterate goes where it is looked for, into the volume."""
        self.map.publish()
        return super().state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.map.take()


class Sirt(Solver):
    """x ← x + λ C Aᵀ R (b - A x), with C and R the inverse column and row sums."""

    name = "sirt"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """Options of SIRT."""

        steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
        relaxation: float = option(1.0, "the factor λ of each update", low=0, high=2)
        positive: bool = option(True, "no density below zero")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> SirtState:
        """Row and column sums."""
        return SirtState(problem, team)

    def step(self, problem: Problem, state: SirtState, team: Team) -> Tensor:  # type: ignore[override]
        """One iteration; the loss is the mean squared residual before it."""
        state.map.let_go()
        voxels = state.map.parameter.data
        residual = state.map.residual(voxels)
        loss = state.map.mean_square(residual)
        residual.mul_(state.rows)
        for (part, back), columns in zip(state.map.adjoints(residual), state.columns, strict=True):
            for some in portions(back):
                now, step = voxels[:, part][:, some], back[:, some].mul_(columns[:, some])
                now.sub_(step, alpha=self.options.relaxation)
                if self.options.positive:
                    now.clamp_(min=0)
        state.map.slab.fill_(voxels)
        state.step += 1
        if self.done(problem, state):
            state.map.publish()
        return loss

    def done(self, problem: Problem, state: SirtState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps


def _alike(voxels: Tensor) -> Tensor:
    """Slices that are all the same, as where images are in place, take up no more than one."""
    one = voxels[:, :1].expand_as(voxels)
    return one[:, :1].clone().expand_as(voxels) if torch.equal(voxels, one) else voxels
