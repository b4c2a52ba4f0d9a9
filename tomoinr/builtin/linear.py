"""A volume that is linear in its voxels as a matrix: A, its transpose, and its sums."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.geometry import Pixels
from tomoinr.interfaces import Problem
from tomoinr.team import Team


class LinearMap:
    """A and Aᵀ of any LINEAR pair, by autograd alone; each rank holds its share of the rows.

    `factor` multiplies data and predictions alike: a change of units, or the weights of pixels
    (channels, views, rows, columns).
    """

    def __init__(self, problem: Problem, team: Team, factor: Tensor | float = 1.0) -> None:
        (self.parameter,) = problem.volume.parameters()
        everything = Pixels.rows(problem.series.shape)
        self.pixels = everything.part(team.share(len(everything))).to(team.device)
        if isinstance(factor, Tensor):
            p = self.pixels
            factor = factor[:, p.view, p.row, p.column]
        self.data = factor * problem.series.at(self.pixels)
        self._problem, self._team, self._factor = problem, team, factor
        # The gradient of a linear map does not depend on where it is taken: one graph serves all.
        self._graph = problem.predict(self.pixels)

    def forward(self, voxels: Tensor) -> Tensor:
        """A x at this rank's pixels; `voxels` becomes the volume's parameter."""
        self.parameter.data = voxels
        with torch.no_grad():
            return self._factor * self._problem.predict(self.pixels)

    def adjoint(self, images: Tensor) -> Tensor:
        """Aᵀ y, summed over the team."""
        weighed = self._factor * images
        (back,) = torch.autograd.grad(self._graph, self.parameter, weighed, retain_graph=True)
        self._team.sum_([back])
        return back

    def mean(self, images: Tensor) -> Tensor:
        """The mean over every rank's pixels: 0-d."""
        total = torch.stack((images.sum(), images.new_tensor(float(images.numel()))))
        self._team.sum_([total])
        return total[0] / total[1]


def inverse(sums: Tensor) -> Tensor:
    """1 / x, and zero where nothing was summed."""
    return torch.where(sums > 1e-6 * sums.max(), 1 / sums, 0)
