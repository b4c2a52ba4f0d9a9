"""What the joint solver keeps between steps: optimisers, schedules, the average."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tomoinr.builtin.muon import Muon
from tomoinr.builtin.ramp import ramp
from tomoinr.interfaces import Ability, Problem

if TYPE_CHECKING:
    from tomoinr.builtin.joint import Joint

WARM_UP = 0.03  # of the run
FLOOR = 0.02  # of the step size, left at the end
RAMP_FLOOR = 0.05  # of the ramp, so that a row's mean is not forgotten


class JointState:
    """Optimisers of volume and poses, their schedules, and an average of the last weights."""

    def __init__(self, problem: Problem, options: Joint.Options) -> None:
        self.step = 0
        self.norm = float(problem.series.images.std()) or 1.0
        self._options = options
        self._volume = list(problem.volume.parameters())
        self._poses = list(problem.poses.parameters())
        self._clamped = Ability.LINEAR in problem.volume.abilities
        self._optimisers = list(_optimisers(problem, options))
        self._rates = [[g["lr"] for g in o.param_groups] for o in self._optimisers]
        self._mean = [p.detach().clone() for p in self._parameters()]

    def schedule(self, progress: float) -> None:
        """Warm-up, then a cosine; poses only after their start."""
        self._progress = progress
        warm = min(1.0, (progress + 1e-9) / WARM_UP) if WARM_UP else 1.0
        factor = warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))
        for optimiser, rates in zip(self._optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                waits = group.get("poses") and progress < self._options.pose_start
                group["lr"] = 0.0 if waits else rate * factor

    def response(self, width: int) -> Tensor:
        """The weight of each frequency of a residual's row, at this moment."""
        f = torch.linspace(0, 1, width + 1)
        weight = torch.ones_like(f)
        if self._progress < self._options.half_ramp:
            weight = (2 * ramp(width)).clamp(min=RAMP_FLOOR).sqrt()
        left = 1 - self._progress / max(self._options.blur_until, 1e-9)
        if self._poses and left > 0:
            weight = weight * torch.exp(-2 * (math.pi * self._options.blur * left * f / 2) ** 2)
        return weight

    def gradients(self) -> list[Tensor]:
        """The gradients of everything that learns, zeros where there were none."""
        for p in self._parameters():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        return [p.grad for p in self._parameters() if p.grad is not None]

    def zero_grad(self) -> None:
        """Forget the last step's gradients."""
        for optimiser in self._optimisers:
            optimiser.zero_grad()

    @torch.no_grad()
    def update(self) -> None:
        """Move, keep voxels from going negative, and average towards the end."""
        for optimiser in self._optimisers:
            optimiser.step()
        if self._clamped:
            self._volume[0].clamp_(min=0)
        self.step += 1
        total = self._options.steps
        begin = round(total * (1 - self._options.average))
        if self.step > begin:
            for mean, p in zip(self._mean, self._parameters(), strict=True):
                mean.lerp_(p, 1 / (self.step - begin))
        if self.step == total and begin < total:
            for mean, p in zip(self._mean, self._parameters(), strict=True):
                p.copy_(mean)

    def state_dict(self) -> dict[str, Any]:
        """Step, optimisers and average."""
        return {
            "step": self.step,
            "optimisers": [o.state_dict() for o in self._optimisers],
            "mean": self._mean,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        for mean, saved in zip(self._mean, state["mean"], strict=True):
            mean.copy_(saved)

    def _parameters(self) -> list[nn.Parameter]:
        return [*self._volume, *self._poses]


def _optimisers(problem: Problem, options: Joint.Options) -> Iterator[torch.optim.Optimizer]:
    """Muon for hidden weight matrices, Adam for the rest and for the poses."""
    matrices = [p for p in problem.volume.parameters() if p.dim() == 2 and min(p.shape) >= 16]
    others = [p for p in problem.volume.parameters() if all(p is not m for m in matrices)]
    if matrices:
        yield Muon(matrices, lr=options.matrix_rate * options.rate, momentum=0.95)
    if others:
        rate = options.rate * problem.volume.rate
        yield torch.optim.Adam(others, lr=rate, betas=(0.9, 0.99))
    poses = [p for p in problem.poses.parameters() if p.requires_grad]
    if poses:
        group = {"params": poses, "poses": True}
        yield torch.optim.Adam([group], lr=options.pose_rate, betas=(0.9, 0.99))
