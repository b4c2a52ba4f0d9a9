"""A linear map a few slices after the other, so that what it needs in between stays small."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.slabs import is_raster, seeing, sight, slab_of
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Problem

# Of a block on a CPU: so many slices at least, since their rows overlap; more where they are small.
SLICES, VOXELS = 16, 1 << 18
PORTION = 2**16  # voxels that a core works on at once: what it needs of them stays in its cache
PORTION_ELSEWHERE = 2**24  # on a device that wants large portions


class Block:
    """Some slices of a lattice (all that `problem` has), and the rows that see them, if any."""

    def __init__(self, problem: Problem, slices: slice, pixels: Pixels, rows: slice) -> None:
        self.slices, self.rows = slices, rows
        self._problem, self._pixels, self._views = problem, pixels.part(rows), problem.views()
        (self._parameter,) = problem.volume.parameters()
        # The gradient of a linear map does not depend on where it is taken: one graph serves all,
        # and its values are not looked at.
        self._graph = self._project()
        self._graph.data = _nothing(self._graph)

    def forward(self, voxels: Tensor) -> Tensor:
        """What its slices add to its rows."""
        kept, self._parameter.data = self._parameter.data, voxels
        with torch.no_grad():
            images = self._project()
        self._parameter.data = kept
        return images

    def adjoint(self, images: Tensor) -> Tensor:
        """Its slices' part of Aᵀ y, from its rows of y."""
        if not self._graph.requires_grad:
            return torch.zeros_like(self._parameter)
        return torch.autograd.grad(self._graph, self._parameter, images, retain_graph=True)[0]

    def _project(self) -> Tensor:
        if not len(self._pixels):
            return self._parameter.new_zeros(self._problem.volume.channels, *self._pixels.shape)
        p = self._problem
        return p.projector.project(p.volume, self._views, self._pixels)


def blocks(problem: Problem, pixels: Pixels, areas: tuple[slice, ...]) -> list[Block]:
    """Of all areas' slices; one block, if the problem does not fall apart into some."""
    slices = problem.grid.shape[0]
    if not (problem.projector.apart and is_raster(problem)):
        return [Block(problem, slice(0, slices), pixels, slice(0, len(pixels)))]
    seen = sight(problem, pixels)
    return [
        Block(_part(problem, some), some, pixels, seeing(seen, some))
        for some in _parts(problem, areas, pixels.row.device)
    ]


def _parts(problem: Problem, areas: tuple[slice, ...], device: torch.device) -> Iterator[slice]:
    """None reaches from one area into another, but for one of everything."""
    slices, *others = problem.grid.shape
    together = max(SLICES, VOXELS // prod(others))
    if device.type != "cpu" or slices <= together:
        yield slice(0, slices)
        return
    for area in areas:
        for first in range(area.start, area.stop, together):
            yield slice(first, min(first + together, area.stop))


def _part(problem: Problem, some: slice) -> Problem:
    """Of some slices alone; their volume takes up no memory."""
    part = moved_to(problem, slab_of(problem.grid, some), problem.series.images.device)
    (parameter,) = part.volume.parameters()
    parameter.data = _nothing(parameter)
    return part


def portions(voxels: Tensor) -> Iterator[slice]:
    """A few slices of (channels, y, z, x) after the other."""
    cores = torch.get_num_threads()
    size = PORTION * cores if voxels.device.type == "cpu" else PORTION_ELSEWHERE
    together = max(1, size // voxels[:, 0].numel())
    for first in range(0, voxels.shape[1], together):
        yield slice(first, first + together)


def _nothing(tensor: Tensor) -> Tensor:
    """Zeros of this shape that take up no memory."""
    return tensor.detach().new_zeros(()).expand(tensor.shape)
