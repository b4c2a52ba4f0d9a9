"""ASTRA's own SIRT as a solver: the baseline that others are measured against."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.slicewise import join_, misfit, raster
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_astra.bench import Bench, Kernel, bench


class AstraSirt(Solver):
    """SIRT, slice by slice on the CPU, from the voxels as they are."""

    name = "astra-sirt"
    needs = frozenset({Ability.BLOCKS})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("astra",)}

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's SIRT."""

        steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
        every: int = option(10, "iterations between two reports of the loss", low=1)
        positive: bool = option(True, "no density below zero")
        projector: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Refuse what slices cannot do; the iterate is the volume's own parameter."""
        raster(problem, self.name)
        with self._bench(problem):
            return Iterate()

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """`every` iterations; the loss is the mean squared residual after them."""
        count = min(self.options.every, self.options.steps - state.step)
        share = team.share(problem.grid.shape[0])
        voxels = raster(problem, self.name).data
        self._improve(problem, voxels, range(problem.grid.shape[0])[share], count)
        join_(voxels, share, team)
        state.step += count
        return misfit(problem, team)

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return bool(state.step >= self.options.steps)

    def _improve(self, problem: Problem, voxels: Tensor, rows: range, count: int) -> None:
        """Iterate on some slices of (channels, y, z, x), in place."""
        with self._bench(problem) as work:
            for channel, row in product(range(len(voxels)), rows):
                work.slice[...] = voxels[channel, row].cpu()
                work.sinogram[...] = problem.series.images[channel, :, row].cpu()
                work.run(count)
                voxels[channel, row] = torch.from_numpy(work.slice)

    def _bench(self, problem: Problem) -> AbstractContextManager[Bench]:
        floor = {"MinConstraint": 0.0} if self.options.positive else {}
        return bench("SIRT", problem.views(), problem.grid, self.options.projector, **floor)
