"""A step of plain voxels that never holds a gradient as large as they are.

Rows are learned one after the other along the tilt axis, and each sees a few slices. Those that no
row to come looks at any more have all of their gradient, and move at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from tomoinr.builtin.adam import ShortAdam
from tomoinr.builtin.optimisers import Optimisers
from tomoinr.builtin.slabs import is_raster
from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability, Problem, Volume
from tomoinr.team import Team

TOGETHER = 4  # slices that move at a time


class Look(NamedTuple):
    """Slices that were looked at, and their voxels, to which a gradient comes."""

    slices: Tensor  # sorted
    voxels: Tensor


class Seen(Volume):
    """Plain voxels, where each look at some slices has a gradient of its own."""

    name = "seen"

    def __init__(self, volume: Volume) -> None:
        super().__init__()
        self.volume, self.grid, self.channels = volume, volume.grid, volume.channels
        self.looks: list[Look] = []

    def density(self, points: Tensor) -> Tensor:
        """As it is: nobody who sees slices asks for points."""
        return self.volume.density(points)

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """The voxels of its own lattice; where a gradient is asked for, the look is kept."""
        voxels = self.volume.voxels(grid, slices).detach()
        if torch.is_grad_enabled():
            every = torch.arange(grid.shape[0]) if slices is None else slices
            self.looks.append(Look(every, voxels.requires_grad_()))
        return voxels


class Sweep:
    """Moves a volume's slices from the first to the last, once a step."""

    def __init__(self, problem: Problem, optimiser: ShortAdam) -> None:
        self._seen = Seen(problem.volume)
        self.problem = replace(problem, volume=self._seen)
        (self.parameter,) = problem.volume.parameters()
        self._optimiser, self._done = optimiser, 0

    @classmethod
    def where_it_pays(cls, problem: Problem, optimisers: Optimisers, team: Team) -> Sweep | None:
        """With large plain voxels on a CPU, of which each row sees a few slices.

        Of several ranks, each has some rows: their gradients have to be summed before anything
        moves.
        """
        if team.size > 1 or team.device.type != "cpu" or not problem.projector.apart:
            return None
        if not (Ability.LINEAR in problem.volume.abilities and is_raster(problem)):
            return None
        optimiser = optimisers.in_parts(next(problem.volume.parameters()))
        return cls(problem, optimiser) if optimiser else None

    def begin(self) -> None:
        """Of a step, with the step size of the moment."""
        self._move, self._done = self._optimiser.begin(self.parameter), 0
        self._seen.looks.clear()

    @torch.no_grad()
    def leave(self, stop: int) -> None:
        """Nobody looks at slices before `stop` any more: they move."""
        slices = self.parameter.shape[1]
        for first in range(self._done, stop, TOGETHER):
            some = slice(first, min(first + TOGETHER, stop))
            for channel, slopes in enumerate(self._slopes(some)):
                self._move.take(channel * slices + first, slopes.flatten(1))
        self._done = max(self._done, stop)
        self._seen.looks = [look for look in self._seen.looks if int(look.slices[-1]) >= stop]

    def finish(self) -> None:
        """Nobody looks at anything any more."""
        self.leave(self.parameter.shape[1])

    def _slopes(self, some: slice) -> Tensor:
        """The gradient of some slices (channels, slices, z, x), put together."""
        total = torch.zeros_like(self.parameter[:, some])
        for slices, voxels in self._seen.looks:
            first, last = torch.searchsorted(slices, torch.tensor([some.start, some.stop])).tolist()
            if voxels.grad is not None and first < last:
                total.index_add_(1, slices[first:last] - some.start, voxels.grad[:, first:last])
        return total
