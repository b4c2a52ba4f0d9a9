"""A volume that is linear in its voxels as a matrix: A, its transpose, and its sums."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tomoinr.builtin.blocks import blocks
from tomoinr.builtin.memory import give_back
from tomoinr.builtin.slabs import Part, Slab, common, within
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Problem
from tomoinr.team import Team


class LinearMap:
    """A and Aᵀ of any LINEAR pair, by autograd alone; each rank has its share of rows and slices.

    Voxels here are those of the rank's `slab`, or all of them where the `whole` is asked for. Data
    and predictions are divided by `unit`, a change of the unit of length.
    """

    def __init__(
        self, problem: Problem, team: Team, unit: float = 1.0, whole: bool = False
    ) -> None:
        (self._whole,) = problem.volume.parameters()
        everything = Pixels.rows(problem.series.shape)
        self._mine = team.share(len(everything))
        self.pixels = everything.part(self._mine).to(team.device)
        self._images = self.share(problem.series.images)
        self.voxels = self._whole.numel()  # of all ranks
        self.slab = Slab(problem, self.pixels, team, whole)
        here = self.slab.problem(problem)
        (self.parameter,) = here.volume.parameters()
        here.projector.share(here.views(), team)
        self._blocks = blocks(here, self.pixels, self.slab.areas)
        self._team, self._unit = team, unit
        give_back()

    @property
    def data(self) -> Tensor:
        """What this rank's pixels show: (channels, views, rows, columns)."""
        return self._images / self._unit

    def share(self, images: Tensor) -> Tensor:
        """This rank's pixels of (channels, views, rows, columns), without a copy."""
        return images[:, :, self._mine]

    def ones(self) -> Tensor:
        """As many as there are data, without memory."""
        return self._images.new_ones(()).expand(self._images.shape)

    def forward(self, voxels: Tensor) -> Tensor:
        """A x at this rank's pixels."""
        images = torch.zeros_like(self._images)
        for block in self._blocks:
            images[:, :, block.rows] += block.forward(voxels[:, block.slices])
        return images.div_(self._unit)

    def residual(self, voxels: Tensor) -> Tensor:
        """A x less the data."""
        return self.forward(voxels).sub_(self._images, alpha=1 / self._unit)

    def adjoint(self, images: Tensor) -> Tensor:
        """Aᵀ y at this rank's own slices; zero in the halos."""
        back = torch.zeros_like(self.parameter)
        for part, some in self.adjoints(images):
            back[:, part] = some
        return back

    def adjoints(self, images: Tensor) -> Iterator[Part]:
        """The same, a few slices after the other, without halos; `images` may be expanded."""
        return self.slab.folded(self._backs(images))

    def _backs(self, images: Tensor) -> Iterator[Part]:
        for block in self._blocks:
            rows = images[:, :, block.rows]
            rows = rows if self._unit == 1 else rows / self._unit  # else it is a copy
            yield from self._by_area(block.slices, block.adjoint(rows))

    def _by_area(self, slices: slice, back: Tensor) -> Iterator[Part]:
        """Halos apart from the rank's own slices."""
        for area in self.slab.areas:
            if part := common(area, slices):
                yield part, back[:, within(part, slices)]

    def let_go(self) -> None:
        """The whole volume takes up no memory until it is published: it reads as nothing."""
        if not self.slab.whole:
            self._whole.data = self._whole.data.new_zeros(()).expand(self._whole.shape)

    def publish(self) -> None:
        """The volume becomes what all ranks have found, on every rank."""
        if not self.slab.whole:
            self._whole.data = torch.empty_like(self._whole, memory_format=torch.contiguous_format)
            self.slab.publish(self.parameter.data, self._whole.data)

    def take(self) -> None:
        """The other way: this rank's slab becomes what the volume is."""
        if not self.slab.whole:
            self.parameter.data = self.slab.cut(self._whole.data).clone()

    def mean(self, images: Tensor) -> Tensor:
        """The mean over every rank's pixels: 0-d."""
        return self._over_all(images.sum(), images)

    def mean_square(self, images: Tensor) -> Tensor:
        """The same of the squares, without a copy."""
        return self._over_all(torch.linalg.vector_norm(images).square(), images)

    def _over_all(self, sum_: Tensor, images: Tensor) -> Tensor:
        found = self.total(torch.stack((sum_, sum_.new_tensor(float(images.numel())))))
        return found[0] / found[1]

    def total(self, numbers: Tensor) -> Tensor:
        """The sums of every rank's numbers, in place."""
        self._team.sum_([numbers])
        return numbers


def inverse_(sums: Tensor) -> Tensor:
    """1 / x, and zero where nothing was summed; in place."""
    nothing = sums <= 1e-6 * sums.max()
    return sums.reciprocal_().masked_fill_(nothing, 0)
