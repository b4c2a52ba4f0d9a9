"""A rank's slices of a volume, and the few beside them that its detector rows see.

Each rank holds a slab (its own slices and a halo on either side), so that memory and talk shrink
as ranks are added: what ranks tell each other are halos, never the volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from tomoinr.builtin.relocated import moved_to
from tomoinr.geometry import Grid, Pixels, positions
from tomoinr.interfaces import Problem
from tomoinr.slicewise import join_
from tomoinr.team import Team

Part = tuple[slice, Tensor]  # some slices, and their voxels (channels, slices, z, x)
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
        fits = reach <= slices // team.size and is_raster(problem)
        self.whole = whole or team.size == 1 or not fits
        first, last = self.own.start - reach, self.own.stop + reach
        self.held = slice(0, slices) if self.whole else slice(max(first, 0), min(last, slices))
        self._reach = reach
        self.mine = slice(self.own.start - self.held.start, self.own.stop - self.held.start)
        self._edge = (problem.volume.channels, reach, *problem.grid.shape[1:])

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

    @property
    def areas(self) -> tuple[slice, ...]:
        """The halos, then its own slices; counted from the first slice held."""
        if self.whole:
            return (self.held,)
        return slice(0, self.mine.start), slice(self.mine.stop, _thick(self.held)), self.mine

    def folded(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Parts of `areas`, in their order: what is put into halos goes to whom it belongs to."""
        if self.whole:
            for part, voxels in parts:
                self._team.sum_([voxels])
                yield part, voxels
                del voxels  # or it is there while the next are made
            return
        given, theirs = torch.zeros(2, *self._edge, device=self._team.device), None
        for part, voxels in parts:
            if part.stop <= self.mine.start:
                given[0][:, part] = voxels
            elif part.start >= self.mine.stop:
                given[1][:, within(part, self.areas[1])] = voxels
            else:
                theirs = theirs or self._team.swap(*given)
                self._add(theirs, part, voxels)
                yield part, voxels

    def _add(self, theirs: tuple[Tensor, Tensor], part: slice, voxels: Tensor) -> None:
        """To those of its own slices that are neighbours' halos."""
        starts = self.mine.start, self.mine.stop - self._reach
        for first, more in zip(starts, theirs, strict=True):
            edge = slice(first, first + self._reach)
            if both := common(part, edge):
                voxels[:, within(both, part)] += more[:, within(both, edge)]

    def fill_(self, voxels: Tensor) -> None:
        """Halos become what their owners have."""
        if self.whole:
            return
        here, deep = voxels[:, self.mine], self._reach
        theirs = self._team.swap(here[:, :deep], here[:, here.shape[1] - deep :])
        before, after = voxels[:, : self.mine.start], voxels[:, self.mine.stop :]
        for halo, given in zip((before, after), theirs, strict=True):
            if halo.shape[1]:
                halo.copy_(given)


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
    low, high = sight(problem, pixels)
    return max(1, own.start - int(low.min()), int(high.max()) - own.stop)


@torch.no_grad()
def sight(problem: Problem, pixels: Pixels) -> tuple[Tensor, Tensor]:
    """The first slice that each row sees, in any view, and the one after the last: (k,) each."""
    grid, views = problem.grid, problem.views()
    columns = pixels.column[..., [0, -1]]
    slices, deep, wide = grid.shape
    steep = views.ray[:, 1].abs().clamp(max=0.999)
    rise = steep / (1 - steep.square()).sqrt() * (deep**2 + wide**2) ** 0.5 / 2
    pixel = views.u.norm(dim=1).max() / grid.spacing
    slack = float(rise.max() + pixel / 2) + MARGIN
    y = views.rays(Pixels(pixels.view, pixels.row, columns)).origin[..., 1]
    along = (y - grid.centre[1]) / grid.spacing - float(positions(slices)[0])
    low, high = along.amin((0, 2)) - slack, along.amax((0, 2)) + slack + 1
    return low.long().clamp(0, slices).cpu(), high.long().clamp(0, slices).cpu()


def seeing(sight: tuple[Tensor, Tensor], some: slice) -> slice:
    """From the first to the last row that sees some slices; empty, if none does."""
    low, high = sight
    rows = ((low < some.stop) & (high > some.start)).nonzero()[:, 0].tolist()
    return slice(rows[0], rows[-1] + 1) if rows else slice(0, 0)


def shared_out(units: int, parts: int) -> list[slice]:
    """As even parts as can be."""
    ends = [units * i // parts for i in range(parts + 1)]
    return [slice(*both) for both in pairwise(ends)]


def common(one: slice, other: slice) -> slice | None:
    """What two ranges have in common, if anything."""
    first, last = max(one.start, other.start), min(one.stop, other.stop)
    return slice(first, last) if first < last else None


def within(part: slice, whole: slice) -> slice:
    """The same, counted from where the whole begins."""
    return slice(part.start - whole.start, part.stop - whole.start)


def _thick(slices: slice) -> int:
    return slices.stop - slices.start


def _largest(number: int, team: Team) -> int:
    """Of every rank's."""
    numbers = torch.zeros(team.size, device=team.device)
    numbers[team.rank] = number
    team.sum_([numbers])
    return int(numbers.max())


def is_raster(problem: Problem) -> bool:
    """Whether the volume is a number a voxel, so that some slices of it are a volume too."""
    shape = (problem.volume.channels, *problem.grid.shape)
    return [tuple(p.shape) for p in problem.volume.parameters()] == [shape]
