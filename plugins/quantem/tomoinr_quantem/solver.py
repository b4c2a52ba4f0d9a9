"""quantEM's network as a solver: it learns by quantEM's own loop; voxels are what is written."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem, Solver
from tomoinr.slicewise import raster
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_quantem.learner import Learner
from tomoinr_quantem.library import require
from tomoinr_quantem.options import Options

MOVED = {"rotation", "shift"}  # the state of poses that can be handed others: 'fixed'


class QuantemState(Iterate):
    """A step count, and the network on the rank that trains it."""

    def __init__(self, learner: Learner | None) -> None:
        super().__init__()
        self.learner = learner

    def state_dict(self) -> dict[str, Any]:
        """The step, and all that quantEM has learned."""
        learned = self.learner.state_dict() if self.learner else None
        return {"step": self.step, "learned": learned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])
        if self.learner:
            self.learner.load_state_dict(state["learned"])


class QuantemInr(Solver):
    """quantEM's H-SIREN or SIREN, trained by quantEM on one process."""

    name = "quantem-inr"
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}
    Options = Options

    def __init__(self, options: Any) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> QuantemState:
        """Refuse what quantEM cannot do, and build its network."""
        self._check(problem)
        state = QuantemState(Learner(problem, self.options) if team.rank == 0 else None)
        state.of = self._steps(problem)
        return state

    def step(self, problem: Problem, state: QuantemState, team: Team) -> Tensor:  # type: ignore[override]
        """`every` batches, then the voxels; the loss is their mean squared residual."""
        voxels = raster(problem, self.name).data
        count = min(self.options.every, self._steps(problem) - state.step)
        loss = voxels.new_zeros(())
        if state.learner:
            loss += state.learner.learn(state.step, count)
            voxels[0] = state.learner.voxels()
            if self.options.learn_poses:
                problem.poses.load_state_dict(_state_of(state.learner.poses()))
        team.copy_([loss, voxels, *problem.poses.buffers()])
        state.step += count
        return loss

    def done(self, problem: Problem, state: QuantemState) -> bool:  # type: ignore[override]
        """After the steps or passes asked for."""
        return state.step >= self._steps(problem)

    def _steps(self, problem: Problem) -> int:
        """Batches in all."""
        pixels = problem.series.images[0].numel()
        return self.options.steps or self.options.passes * max(1, pixels // self.options.batch)

    def _check(self, problem: Problem) -> None:
        require()
        raster(problem, self.name)
        if len(problem.series.channels) > 1:
            raise TomoinrError(
                f"{self.name} learns one signal, but there are {len(problem.series.channels)}: "
                f"{', '.join(problem.series.channels)}; give it one at a time"
            )
        if any(problem.grid.centre):
            raise TomoinrError(f"{self.name} takes boxes whose centre is the images' only")
        if self.options.learn_poses and set(problem.poses.state_dict()) != MOVED:
            raise TomoinrError(
                f"{self.name} cannot hand the poses it learns to '{problem.poses.name}'; use "
                "poses 'fixed', which it moves"
            )
        if "RANK" in os.environ:
            raise TomoinrError(
                "quantEM takes RANK, which is set, for a process group of its own; run "
                f"{self.name} in one process, without it"
            )
        if problem.series.images.device.type == "cpu" and torch.cuda.is_available():
            raise TomoinrError(
                "quantEM runs on the GPU where there is one; to keep it on the CPU, set "
                "CUDA_VISIBLE_DEVICES to nothing"
            )


def _state_of(poses: Poses) -> dict[str, Tensor]:
    """What the poses 'fixed' keep."""
    return {"rotation": poses.rotation, "shift": poses.shift}
