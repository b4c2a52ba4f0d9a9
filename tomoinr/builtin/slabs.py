"""A rank's slices of a volume, and the few beside them that its detector rows see.

Each rank holds a slab (its own slices and a halo on either side), so that memory and talk shrink
as ranks are added: what ranks tell each other are halos, never the volume.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tomoinr.builtin.relocated import moved_to
from tomoinr.geometry import Grid, Pixels, positions
from tomoinr.interfaces import Problem
from tomoinr.slicewise import join_
from tomoinr.team import Team

MARGIN = 2  # slices that interpolation may look at beyond the nearest


class Slab:
    """Voxels here are (channels, slices held, z, x); `own` and `held` count whole slices.

    Where a halo would be deeper than a neighbour's own slices, or the volume is not one of plain
    voxels, or it is so wanted, every rank holds the whole.
    """

    def __init__(self, problem: Problem, pixels: Pixels, team: Team, whole: bool = False) -> None:
        slices = problem.grid.shape[0]
        self._team, self.own = team, team.share(slices)
        reach = _largest(reach_of(problem, pixels, self.own), team) if team.size > 1 else 0
        fits = reach <= slices // team.size and _is_raster(problem)
        self.whole = whole or team.size == 1 or not fits
        first, last = self.own.start - reach, self.own.stop + reach
        self.held = slice(0, slices) if self.whole else slice(max(first, 0), min(last, slices))
        self._reach = reach
        self.mine = slice(self.own.start - self.held.start, self.own.stop - self.held.start)

    def problem(self, whole: Problem) -> Problem:
        """The problem with a volume and a projector of this slab alone."""
        if self.whole:
            return whole
        here = moved_to(whole, slab_of(whole.grid, self.held), self._team.device)
        (parameter,), (everything,) = here.volume.parameters(), whole.volume.parameters()
        parameter.data.copy_(everything.data[:, self.held])
        return here

    def cut(self, voxels: Tensor, dim: int = 1) -> Tensor:
        """This slab of the whole."""
        return voxels.narrow(dim, self.held.start, self.held.stop - self.held.start)

    def join(self, voxels: Tensor, dim: int = 1) -> Tensor:
        """The whole, from every rank's own slices."""
        if self.whole:
            return voxels
        own = voxels.narrow(dim, self.mine.start, self.mine.stop - self.mine.start)
        return self._team.gather(own.movedim(dim, 0).contiguous()).movedim(0, dim)

    def publish(self, voxels: Tensor, whole: Tensor) -> None:
        """The same, into a volume that is there."""
        whole[:, self.own] = voxels[:, self.mine]
        join_(whole, self.own, self._team)

    def fold_(self, voxels: Tensor) -> None:
        """What every rank has put into its halos goes to whom it belongs to; halos are stale."""
        if self.whole:
            self._team.sum_([voxels])
            return
        first, last, before, after = self._edges(voxels)
        given = first if before is None else before, last if after is None else after
        theirs = self._team.swap(*given)
        if before is not None:
            first += theirs[0]
        if after is not None:
            last += theirs[1]

    def fill_(self, voxels: Tensor) -> None:
        """Halos become what their owners have."""
        if self.whole:
            return
        first, last, before, after = self._edges(voxels)
        theirs = self._team.swap(first, last)
        if before is not None:
            before.copy_(theirs[0])
        if after is not None:
            after.copy_(theirs[1])

    def _edges(self, voxels: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """The first and last own slices, and the halos before and after, where there are any."""
        deep, here = self._reach, voxels[:, self.mine]
        before, after = voxels[:, : self.mine.start], voxels[:, self.mine.stop :]
        return (
            here[:, :deep],
            here[:, here.shape[1] - deep :],
            before if before.shape[1] else None,
            after if after.shape[1] else None,
        )


def slab_of(grid: Grid, held: slice) -> Grid:
    """Some slices of a lattice, where they are."""
    slices, *others = grid.shape
    x, y, z = grid.centre
    middle = y + grid.spacing * ((held.start + held.stop) - slices) / 2
    return replace(grid, shape=(held.stop - held.start, *others), centre=(x, middle, z))


def reach_of(problem: Problem, pixels: Pixels, own: slice) -> int:
    """How many slices beside its own a rank's rows see, one at least."""
    if not len(pixels):
        return 1
    grid, views = problem.grid, problem.views()
    rows, columns = pixels.row.flatten()[[0, -1]], pixels.column.flatten()[[0, -1]]
    corners = Pixels(pixels.view, rows[None, :, None], columns[None, None])
    slices, deep, wide = grid.shape
    steep = views.ray[:, 1].abs().clamp(max=0.999)
    rise = steep / (1 - steep.square()).sqrt() * (deep**2 + wide**2) ** 0.5 / 2
    pixel = views.u.norm(dim=1).max() / grid.spacing
    slack = float(rise.max().detach() + pixel / 2) + MARGIN
    y = views.rays(corners).origin[..., 1].detach() - grid.centre[1]
    along = y / grid.spacing - float(positions(slices)[0])
    low = max(0, int(along.min() - slack))
    high = min(slices, int(along.max() + slack) + 1)
    return max(1, own.start - low, high - own.stop)


def _largest(number: int, team: Team) -> int:
    """Of every rank's."""
    numbers = torch.zeros(team.size, device=team.device)
    numbers[team.rank] = number
    team.sum_([numbers])
    return int(numbers.max())


def _is_raster(problem: Problem) -> bool:
    """Whether the volume is a number a voxel, so that some slices of it are a volume too."""
    shape = (problem.volume.channels, *problem.grid.shape)
    return [tuple(p.shape) for p in problem.volume.parameters()] == [shape]
