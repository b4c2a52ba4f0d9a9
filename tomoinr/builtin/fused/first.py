"""The leading channel by itself, through the automatic solver: its volume, and everyone's poses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.builtin.auto.find_poses import Chosen
from tomoinr.builtin.auto.solver import Auto, AutoState
from tomoinr.builtin.fused.leading import spread
from tomoinr.builtin.fused.signals import alone
from tomoinr.geometry import Grid
from tomoinr.interfaces import Problem
from tomoinr.team import Team


class First:
    """A run of the automatic solver on one channel of a problem; it moves the problem's poses."""

    def __init__(self, problem: Problem, channel: int, options: Auto.Options, team: Team) -> None:
        series, self._channel = problem.series, channel
        some = torch.tensor(series.views_of(channel), device=series.images.device)
        own = alone(problem, channel)
        self.problem = replace(own, poses=Chosen(problem.poses, some), priors=())
        self._whole, self._team, self.solver = problem, team, Auto(options)
        self._before = [p.detach().clone() for p in self._free()]
        self.state: AutoState = self.solver.init(self.problem, team)

    @property
    def done(self) -> bool:
        """Whether the automatic solver has come to its end."""
        return self.solver.done(self.problem, self.state)

    def step(self) -> Tensor:
        """One of its steps; after the last, images that the channel lacks follow the others."""
        loss = self.solver.step(self.problem, self.state, self._team)
        if self.done:
            self._place_others()
        return loss

    def guide(self) -> tuple[Tensor, Grid]:
        """The volume (1, y, z, x) as fine as it was found, and its lattice."""
        stage = self.state.entered
        assert stage is not None, "it has come to its end"
        (voxels,) = stage.problem.volume.parameters()
        return voxels.detach(), stage.problem.grid

    @torch.no_grad()
    def show(self) -> None:
        """The volume so far, in the whole problem's place for it."""
        (own,), (led,) = self._whole.volume.parameters(), self.problem.volume.parameters()
        own[self._channel] = led[0]

    def state_dict(self) -> dict[str, Any]:
        """What the automatic solver needs, and the volume it fills, whole by then."""
        auto = self.state.state_dict()
        self.show()
        return {
            "auto": auto,
            "volume": self.problem.volume.state_dict(),
            "before": self._before,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.problem.volume.load_state_dict(state["volume"])
        self._before = [p.to(self._team.device) for p in state["before"]]
        self.state.load_state_dict(state["auto"])

    def _free(self) -> Iterator[nn.Parameter]:
        """What is learned of each image."""
        tilts = len(self._whole.series.angles)
        for parameter in self._whole.poses.parameters():
            if parameter.requires_grad and parameter.dim() and len(parameter) == tilts:
                yield parameter

    @torch.no_grad()
    def _place_others(self) -> None:
        series = self._whole.series
        for parameter, before in zip(self._free(), self._before, strict=True):
            moved = (parameter - before)[series.views_of(self._channel)]
            if moved.dim() and len(moved) < len(before):
                moved = spread(series, self._channel, moved.reshape(len(moved), -1))
                parameter.copy_(before + moved.reshape(before.shape))


def on_lattice(voxels: Tensor, grid: Grid) -> Tensor:
    """A volume (1, y, z, x) on a lattice of larger voxels: means."""
    return functional.avg_pool3d(voxels, voxels.shape[1] // grid.shape[0])
