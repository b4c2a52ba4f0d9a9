"""The way of arXiv 2512.08113: random rays and plain Adam. Its H-SIREN is `tomoinr_inr`'s."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver, State
from tomoinr.sampling import Draw
from tomoinr.team import Team


class AdamState:
    """The optimiser, and its step size's way down."""

    def __init__(self, problem: Problem, rate: float, steps: int) -> None:
        self.step = 0
        self.norm = float(problem.series.images.std())
        self.adam = torch.optim.Adam(problem.volume.parameters(), rate)
        self.fall = torch.optim.lr_scheduler.CosineAnnealingLR(self.adam, steps)

    def state_dict(self) -> dict:
        return {"step": self.step, "adam": self.adam.state_dict(), "fall": self.fall.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.step = state["step"]
        self.adam.load_state_dict(state["adam"])
        self.fall.load_state_dict(state["fall"])


class RandomRays(Solver):
    """Mean squared residual of a random batch of rays, one step of Adam each; poses stay."""

    name = "random-rays"
    needs = frozenset({Ability.PIXELS})

    @dataclass(frozen=True)
    class Options:
        steps: int = 60  # far too few, but each takes seconds on a CPU
        rays: int = 1024
        rate: float = 2e-4

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> AdamState:
        return AdamState(problem, self.options.rate, self.options.steps)

    def step(self, problem: Problem, state: State, team: Team) -> Tensor:
        assert isinstance(state, AdamState)
        draw = Draw(problem.seed, state.step)
        rays = problem.projector.sample(problem.series, self.options.rays, draw)
        residual = (problem.predict(rays) - problem.series.at(rays)) / state.norm
        loss = residual.square().mean()
        state.adam.zero_grad()
        loss.backward()
        state.adam.step()
        state.fall.step()
        state.step += 1
        return loss.detach()

    def done(self, problem: Problem, state: State) -> bool:
        return state.step >= self.options.steps
