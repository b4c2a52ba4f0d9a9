"""A volume that is linear in its voxels as a matrix: A, its transpose, and its sums."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.builtin.slabs import Slab
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
        self.pixels = everything.part(team.share(len(everything))).to(team.device)
        self.data = problem.series.at(self.pixels) / unit
        self.slab = Slab(problem, self.pixels, team, whole)
        self._problem, self._team, self._unit = self.slab.problem(problem), team, unit
        (self.parameter,) = self._problem.volume.parameters()
        self._views = problem.views()
        # The gradient of a linear map does not depend on where it is taken: one graph serves all.
        self._graph = self._project()

    def forward(self, voxels: Tensor) -> Tensor:
        """A x at this rank's pixels; `voxels` becomes the volume's parameter."""
        self.parameter.data = voxels
        with torch.no_grad():
            return self._project() / self._unit

    def adjoint(self, images: Tensor) -> Tensor:
        """Aᵀ y at this rank's own slices; what stands in the halos is of no use."""
        images = images / self._unit
        (back,) = torch.autograd.grad(self._graph, self.parameter, images, retain_graph=True)
        self.slab.fold_(back)
        return back

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

    def _project(self) -> Tensor:
        p = self._problem
        return p.projector.project(p.volume, self._views, self.pixels)

    def mean(self, images: Tensor) -> Tensor:
        """The mean over every rank's pixels: 0-d."""
        found = self.total(torch.stack((images.sum(), images.new_tensor(float(images.numel())))))
        return found[0] / found[1]

    def total(self, numbers: Tensor) -> Tensor:
        """The sums of every rank's numbers, in place."""
        self._team.sum_([numbers])
        return numbers


def inverse_(sums: Tensor) -> Tensor:
    """1 / x, and zero where nothing was summed; in place."""
    nothing = sums <= 1e-6 * sums.max()
    return sums.reciprocal_().masked_fill_(nothing, 0)
