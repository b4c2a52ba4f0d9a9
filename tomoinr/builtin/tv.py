"""Total variation with positivity, to convergence: the bar for everything that learns.

Minimises  ½‖Ax - b‖² + λ‖∇x‖₁,₂  over x ≥ 0  by the over-relaxed, preconditioned primal-dual
method of Chambolle and Pock.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.builtin.tv_state import RELAXATION, TvState
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.team import Team


class Tv(Solver):
    """The volume with the shortest edges among those that explain the data."""

    name = "tv"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """Options of total variation."""

        weight: float = option(
            0.03, "edges below about this density are flattened (1: typical)", low=0
        )
        steps: int = option(120, "iterations", low=1)
        positive: bool = option(True, "no density below zero")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> TvState:
        """Step sizes and zero dual variables."""
        return TvState(problem, team, self.options.weight)

    def step(self, problem: Problem, state: TvState, team: Team) -> Tensor:  # type: ignore[override]
        """One primal-dual iteration; the loss is the objective, per pixel."""
        state.map.let_go()
        point = state.tensors["point"]
        state.map.parameter.data = point  # the last volume makes room for the next
        ahead = state.look_ahead(self.options.positive)
        residual = state.map.residual(ahead)
        edge_length = state.pull_edges(ahead)
        misfit = state.pull_data(residual)
        moved = ahead.lerp_(point, 0.5)
        point.lerp_(moved, RELAXATION)
        state.map.parameter.data = moved
        state.step += 1
        loss: Tensor = state.map.total(misfit / 2 + edge_length)
        if self.done(problem, state):
            state.map.publish()
        return loss / problem.series.images.numel()

    def done(self, problem: Problem, state: TvState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps
