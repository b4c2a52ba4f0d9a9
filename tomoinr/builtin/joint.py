"""The stochastic solver: any volume and any poses, learned together from random batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.joint_state import JointState
from tomoinr.builtin.losses import LossName, residuals
from tomoinr.builtin.ramp import filter_rows
from tomoinr.builtin.scales import predict_moved
from tomoinr.geometry import Pixels
from tomoinr.gradients import backward
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.sampling import Draw
from tomoinr.team import Team

SLAB = 11  # the stream that places the priors' slab, apart from the batch's
OFFSET = 12  # the stream that moves the lattice


class Joint(Solver):
    """Adam (and Muon for weight matrices) on volume and poses, one random batch a step."""

    name = "joint"
    abilities = frozenset({Ability.POSES, Ability.PRIORS, Ability.GAPS})
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

        steps: int = option(400, "batches, at most", low=1)
        batch: int = option(0, "pixels a batch, about; 0: eight rows of every image", low=0)
        optimiser: Literal["muon", "adam"] = option(
            "muon", "of hidden weight matrices; everything else moves by Adam"
        )
        rate: float = option(1.0, "step size, relative to what suits the volume", low=0)
        matrix_rate: float = option(3e-3, "step size of Muon, for weight matrices", low=0)
        betas: tuple[float, float] = option(
            (0.9, 0.99), "how long Adam remembers gradients and their squares", low=0, high=0.99999
        )
        warm_up: float = option(0.03, "part of the run in which step sizes grow", low=0, high=1)
        last_rate: float = option(
            0.02, "of the step size, left at the end of its cosine", low=0, high=1
        )
        pose_rate: float = option(0.05, "step size of the poses, in pixels", low=0)
        pose_start: float = option(0.05, "part of the run before poses move", low=0, high=1)
        pose_rounds: int = option(
            0,
            "Gauss–Newton steps of the poses on whole images, in the second half of the run",
            low=0,
        )
        loss: LossName = option(
            "l2", "what a residual costs; poisson and huber measure the noise in the images"
        )
        half_ramp: float = option(0.5, "part of the run that favours fine detail", low=0, high=1)
        blur: float = option(
            2.0, "pixels by which early residuals are blurred to find poses", low=0
        )
        blur_until: float = option(0.4, "part of the run in which that blur fades", low=0, high=1)
        half_size: float | None = option(
            None,
            "part of the run, at its start, on pixels and voxels twice as large; none: 0.3, or 0 "
            "for volumes that are linear in their voxels",
            low=0,
            high=1,
        )
        jitter: bool = option(
            False, "move the lattice on which a network is sampled, anew each step"
        )
        average: float = option(
            0.2, "part of the run, at its end, whose weights are averaged", low=0, high=1
        )
        patience: float = option(
            0.0,
            "part of the run without gain on a tenth of the counts, held back, after which to "
            "stop; 0: hold nothing back",
            low=0,
            high=1,
        )
        slab: int = option(4, "slices on which priors are judged, each step", low=1)

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> JointState:
        """Data, optimisers and the running average, once the volume knows the images."""
        notes = problem.volume.heed(problem.series)
        team.copy_(problem.volume.buffers())
        return JointState(problem, self.options, team, notes)

    def step(self, problem: Problem, state: JointState, team: Team) -> Tensor:  # type: ignore[override]
        """One batch; the loss shown is its mean squared residual, unfiltered, plus the priors."""
        state.begin(team)
        draw = Draw(problem.seed, state.step)
        loss = torch.zeros((), device=team.device)
        for cost, shown in self._costs(state, draw, team):
            if cost.requires_grad:
                backward(cost)
            loss += shown
        # The objective's filters come and go during a run, so it cannot tell progress.
        team.sum_([*state.gradients(), loss])
        state.update(team)
        state.refine(team)
        return loss

    def done(self, problem: Problem, state: JointState) -> bool:  # type: ignore[override]
        """After the batches asked for, or when the held-out counts say so."""
        return state.stopped or state.step >= self.options.steps

    def _costs(self, state: JointState, draw: Draw, team: Team) -> Iterator[tuple[Tensor, Tensor]]:
        """This rank's parts of the objective, one graph after the other; what the loss shows."""
        series = state.problem.series
        batch = state.problem.projector.sample(series, state.budget, draw)
        everything = series.images.shape[0] * batch.shape.numel()
        mine = batch.part(team.share(len(batch))).to(team.device)
        prior = self._prior(state.problem, draw, team)
        yield prior, prior.detach()
        for part in state.portions(mine):
            cost, misfit = self._misfit(state, part, draw)
            state.make_room()
            yield cost / (2 * everything), misfit / (2 * everything)

    def _misfit(self, state: JointState, pixels: Pixels, draw: Draw) -> tuple[Tensor, Tensor]:
        """The cost of these pixels, summed, and the sum of squared residuals."""
        prediction, data = self._prediction(state, pixels, draw), state.problem.series.at(pixels)
        residual = residuals(self.options.loss, prediction, data, state.noise)
        plain = (prediction.detach() - data) / state.unit
        if state.shares is not None:
            root = state.shares[:, pixels.view].sqrt()
            residual, plain = residual * root, plain * root
        if residual.dim() == 4:  # whole rows: (channels, views, rows, columns)
            residual = filter_rows(residual, state.response(residual.shape[-1]))
        return residual.square().sum(), plain.square().sum()

    def _prediction(self, state: JointState, pixels: Pixels, draw: Draw) -> Tensor:
        """By way of the lattice, or of one moved by up to half a voxel either way."""
        if state.linear or not self.options.jitter:
            return state.problem.predict(pixels)
        offset = (draw.uniform(OFFSET, 3) - 0.5) * state.problem.grid.spacing
        return predict_moved(state.problem, pixels, offset)

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
