"""The leading channels, each through the automatic solver: the guide, and everyone's poses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.builtin.auto.options import AutoOptions
from tomoinr.builtin.fused.leading import seen_by, spread
from tomoinr.builtin.fused.single import Single
from tomoinr.builtin.pose_steps import Evidence
from tomoinr.geometry import Grid
from tomoinr.interfaces import Problem
from tomoinr.team import Team


class First:
    """Runs of the automatic solver side by side, one a channel that poses are found from.

    The first of them moves the problem's poses, by what all of them say; it is the guide.
    """

    def __init__(
        self, problem: Problem, channels: Sequence[int], options: AutoOptions, team: Team
    ) -> None:
        self._whole, self._team, self.channels = problem, team, tuple(channels)
        self._seen = seen_by(problem.series, channels)
        self._before = [p.detach().clone() for p in self._free()]
        lead, *others = channels
        self._runs = [Single(problem, lead, options, team, others=self._evidence)]
        for i, channel in enumerate(others, 1):
            self._runs.append(Single(problem, channel, options, team, channels[:i]))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the guide's run found out."""
        return self._runs[0].state.notes

    @property
    def done(self) -> bool:
        """Whether all runs have come to their end."""
        return all(run.done for run in self._runs)

    def step(self) -> Tensor:
        """A step of the run that is behind; images that no run has follow the others at last."""
        going = (run for run in self._runs if not run.done)
        loss = max(going, key=lambda run: run.state.left).step()
        if self.done:
            self._place_others()
            del self._runs[1:]
        return loss

    def _evidence(self) -> list[Evidence]:
        """Of poses, from all but the guide."""
        guide, *others = self._runs
        return [found for run in others for found in run.evidence(run.weight / guide.weight)]

    def guide(self) -> tuple[Tensor, Grid]:
        """The volume (1, y, z, x) as fine as it was found, and its lattice."""
        stage = self._runs[0].state.entered
        assert stage is not None, "it has come to its end"
        (voxels,) = stage.problem.volume.parameters()
        return voxels.detach(), stage.problem.grid

    @torch.no_grad()
    def show(self) -> None:
        """The volumes so far, in the whole problem's places for them."""
        (own,) = self._whole.volume.parameters()
        for run in self._runs:
            (voxels,) = run.problem.volume.parameters()
            own[run.channel] = voxels[0]

    def state_dict(self) -> dict[str, Any]:
        """What the runs need to go on, and where poses were at first."""
        runs = [run.state_dict() for run in self._runs]
        self.show()
        return {"runs": runs, "before": self._before}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._before = [p.to(self._team.device) for p in state["before"]]
        del self._runs[len(state["runs"]) :]
        for run, kept in zip(self._runs, state["runs"], strict=True):
            run.load_state_dict(kept)

    def _free(self) -> Iterator[nn.Parameter]:
        """What is, or may come to be, learned of each image."""
        tilts = len(self._whole.series.angles)
        for parameter in self._whole.poses.parameters():
            if parameter.dim() and len(parameter) == tilts:
                yield parameter

    @torch.no_grad()
    def _place_others(self) -> None:
        if bool(self._seen.all()):
            return
        for parameter, before in zip(self._free(), self._before, strict=True):
            moved = (parameter - before).reshape(len(before), -1)
            moved = spread(self._whole.series.angles, self._seen, moved)
            parameter.copy_(before + moved.reshape(before.shape))


def on_lattice(voxels: Tensor, grid: Grid) -> Tensor:
    """A volume (1, y, z, x) on a lattice of larger voxels: means."""
    return functional.avg_pool3d(voxels, voxels.shape[1] // grid.shape[0])
