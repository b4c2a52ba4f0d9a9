"""SIRT: the simultaneous iterative reconstruction technique, on any LINEAR pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tomoinr.builtin.linear import LinearMap, inverse_
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team


class SirtState(Iterate):
    """The matrix and its row and column sums; the iterate is the parameter of the slab."""

    def __init__(self, problem: Problem, team: Team) -> None:
        super().__init__()
        self.map = LinearMap(problem, team)
        start = self.map.parameter.data
        one = start.new_ones(())
        self.rows = inverse_(self.map.forward(one.expand_as(start)))
        self.columns = inverse_(self.map.adjoint(one.expand_as(self.map.data)))
        self.map.parameter.data = start

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
        before = state.map.parameter.data
        residual = state.map.forward(before).neg_().add_(state.map.data)
        voxels = state.map.adjoint(state.rows * residual).mul_(state.columns)
        voxels.mul_(self.options.relaxation).add_(before)
        voxels = voxels.clamp_(min=0) if self.options.positive else voxels
        state.map.slab.fill_(voxels)
        state.map.parameter.data = voxels
        state.step += 1
        if self.done(problem, state):
            state.map.publish()
        return state.map.mean(residual.square())

    def done(self, problem: Problem, state: SirtState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps
