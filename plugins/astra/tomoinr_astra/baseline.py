"""What ASTRA's solvers have in common: slice after slice, from the voxels as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.interfaces import Problem
from tomoinr.slicewise import join_, misfit, raster
from tomoinr.team import Team
from tomoinr_astra.bench import Algorithm, Bench, Kernel, bench, share_out

PARTNERS = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("astra",)}


class Method(NamedTuple):
    """An algorithm of ASTRA with its settings, and the name of the solver that it serves."""

    algorithm: Algorithm
    kernel: Kernel
    who: str
    option: Mapping[str, Any] = {}

    def bench(self, problem: Problem) -> AbstractContextManager[Bench]:
        """The algorithm, set up for the problem's slices."""
        return bench(self.algorithm, problem.views(), problem.grid, self.kernel, self.option)

    def check(self, problem: Problem) -> None:
        """Refuse what slices cannot do."""
        raster(problem, self.who)
        with self.bench(problem):
            return


def floor(positive: bool) -> dict[str, float]:
    """The option that keeps density above zero."""
    return {"MinConstraint": 0.0} if positive else {}


def advance(
    problem: Problem, method: Method, count: int, team: Team, weights: Tensor | None = None
) -> Tensor:
    """Iterate on this rank's slices, in place, images times `weights` (views,); the new misfit."""
    voxels, share = raster(problem, method.who).data, team.share(problem.grid.shape[0])
    images = problem.series.images
    if weights is not None:
        images = images * weights[:, None, None].to(images)

    def work(some: Sequence[tuple[int, int]]) -> None:
        with method.bench(problem) as bench:
            for channel, row in some:
                bench.slice[...] = voxels[channel, row].cpu()
                bench.sinogram[...] = images[channel, :, row].cpu()
                bench.run(count)
                voxels[channel, row] = torch.from_numpy(bench.slice)

    share_out(list(product(range(len(voxels)), range(problem.grid.shape[0])[share])), work)
    join_(voxels, share, team)
    return misfit(problem, team)
