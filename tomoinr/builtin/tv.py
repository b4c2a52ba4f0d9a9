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
        """One iteration; the loss is the objective, per pixel, from which it set out."""
        state.map.let_go()
        state.step += 1
        last = self.done(problem, state)
        ahead = state.map.residual(state.point)
        misfit = state.pull_data(ahead)
        edge_length = state.pull_voxels(ahead, self.options.positive, 1 if last else RELAXATION)
        loss: Tensor = state.map.total(misfit / 2 + edge_length)
        if last:
            state.map.publish()
        return loss / problem.series.images.numel()

    def done(self, problem: Problem, state: TvState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps


def minimise(problem: Problem, state: TvState, team: Team, steps: int) -> None:
    """The volume after so many iterations of a new state, without density below zero."""
    solver = Tv(Tv.Options(steps=steps))
    while not solver.done(problem, state):
        solver.step(problem, state, team)
