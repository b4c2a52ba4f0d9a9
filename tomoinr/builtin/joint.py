"""The stochastic solver: any volume and any poses, learned together from random batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.joint_state import JointState
from tomoinr.builtin.ramp import filter_rows
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.sampling import Draw
from tomoinr.team import Team

SLAB = 11  # the stream that places the priors' slab, apart from the batch's


class Joint(Solver):
    """Adam (and Muon for weight matrices) on volume and poses, one random batch a step."""

    name = "joint"
    abilities = frozenset({Ability.POSES, Ability.PRIORS})
    partners = {
        "volume": ("voxels",),
        "poses": ("rigid", "fixed"),
        "projector": ("slices",),
        "prior": ("tv",),
    }
    presets = {"fast": {"steps": 150}, "best": {"steps": 1500}}

    @dataclass(frozen=True)
    class Options:
        """Options of the joint solver."""

        steps: int = option(400, "batches", low=1)
        batch: int = option(0, "pixels a batch, about; 0: eight rows of every image", low=0)
        rate: float = option(1.0, "step size, relative to what suits the volume", low=0)
        matrix_rate: float = option(3e-3, "step size of Muon, for weight matrices", low=0)
        pose_rate: float = option(0.05, "step size of the poses, in pixels", low=0)
        pose_start: float = option(0.05, "part of the run before poses move", low=0, high=1)
        loss: Literal["l2", "smooth-l1"] = option("l2", "what a residual costs")
        half_ramp: float = option(0.5, "part of the run that favours fine detail", low=0, high=1)
        blur: float = option(
            2.0, "pixels by which early residuals are blurred to find poses", low=0
        )
        blur_until: float = option(0.4, "part of the run in which that blur fades", low=0, high=1)
        average: float = option(
            0.2, "part of the run, at its end, whose weights are averaged", low=0, high=1
        )
        slab: int = option(4, "slices on which priors are judged, each step", low=1)

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> JointState:
        """Optimisers and the running average."""
        return JointState(problem, self.options)

    def step(self, problem: Problem, state: JointState, team: Team) -> Tensor:  # type: ignore[override]
        """One batch; the loss shown is its mean squared residual, unfiltered, plus the priors."""
        state.schedule(state.step / self.options.steps)
        state.zero_grad()
        draw = Draw(problem.seed, state.step)
        budget = self.options.batch or 8 * problem.series.shape[0] * problem.series.shape[2]
        batch = problem.projector.sample(problem.series, budget, draw)
        cost, misfit = self._misfit(problem, state, batch, team)
        prior = self._prior(problem, draw, team)
        objective = cost + prior
        if objective.requires_grad:
            objective.backward()
        # The objective's filters come and go during a run, so it cannot tell progress.
        loss = misfit + prior.detach()
        team.sum_([*state.gradients(), loss])
        state.update()
        return loss

    def done(self, problem: Problem, state: JointState) -> bool:  # type: ignore[override]
        """After the batches asked for."""
        return state.step >= self.options.steps

    def _misfit(
        self, problem: Problem, state: JointState, batch: Pixels, team: Team
    ) -> tuple[Tensor, Tensor]:
        """This rank's part of the mean cost over the team's batch, and of half the mean square."""
        everything = problem.series.images.shape[0] * batch.shape.numel()
        mine = batch.part(team.share(len(batch))).to(team.device)
        if len(mine) == 0:
            nothing = problem.series.images.new_zeros(())
            return nothing, nothing.clone()
        residual = (problem.predict(mine) - problem.series.at(mine)) / state.norm
        misfit = residual.detach().square().sum() / (2 * everything)
        if residual.dim() == 4:  # whole rows: (channels, views, rows, columns)
            residual = filter_rows(residual, state.response(residual.shape[-1]))
        cost = residual.square() / 2
        if self.options.loss == "smooth-l1":
            cost = torch.where(residual.abs() < 1, cost, residual.abs() - 0.5)
        return cost.sum() / everything, misfit

    def _prior(self, problem: Problem, draw: Draw, team: Team) -> Tensor:
        """The priors on a random slab, shared out among the ranks by parts of the penalty."""
        if not problem.priors:
            return torch.zeros((), device=team.device)
        rows = problem.grid.shape[0]
        thick = min(self.options.slab, rows)
        first = int(draw.generator(SLAB).integers(0, rows - thick + 1))
        slab = torch.arange(first, first + thick, device=team.device)
        voxels = problem.volume.voxels(problem.grid, slab)
        return sum((p.penalty(voxels) for p in problem.priors), voxels.new_zeros(())) / team.size
