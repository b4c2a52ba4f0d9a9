"""TomoPy's iterative algorithms as solvers; only their names and their data differ."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.slicewise import join_, misfit, raster
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_tomopy import library
from tomoinr_tomopy.recon import axis, improve

START = 1e-6  # TomoPy's own: an algorithm that multiplies cannot leave zero


@dataclass(frozen=True)
class IterationOptions:
    """Options of TomoPy's iterative algorithms."""

    steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
    every: int = option(10, "iterations between two reports of the loss", low=1)


def solver(algorithm: str, counts: bool = False) -> type[Solver]:
    """The solver of an algorithm of `tomopy.recon`; `counts`: it takes no negative data."""

    class TomopySolver(Solver):
        """Slice by slice on the CPU, from the voxels as they are."""

        name = f"tomopy-{algorithm}"
        needs = frozenset({Ability.BLOCKS})
        partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}
        Options = IterationOptions

        def __init__(self, options: IterationOptions) -> None:
            self.options = options

        def init(self, problem: Problem, team: Team) -> Iterate:
            """Refuse what TomoPy cannot do, and start where it starts."""
            _check(problem, self.name, counts)
            return Iterate()

        def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
            """`every` iterations; the loss is the mean squared residual after them."""
            count = min(self.options.every, self.options.steps - state.step)
            _advance(algorithm, problem, self.name, count, team)
            state.step += count
            return misfit(problem, team)

        def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
            """After the iterations asked for."""
            return bool(state.step >= self.options.steps)

    return TomopySolver


def _check(problem: Problem, who: str, counts: bool) -> None:
    library.load()
    axis(problem, who)
    voxels = raster(problem, who).data
    if counts and bool((problem.series.images < 0).any()):
        raise TomoinrError(
            f"{who} takes no images with values below zero; raise them all by the lowest, or use "
            "the solver 'tomopy-sirt'"
        )
    if not bool(voxels.any()):
        voxels.fill_(START)


def _advance(algorithm: str, problem: Problem, who: str, count: int, team: Team) -> None:
    """Some iterations on every slice, each rank on its share."""
    share = team.share(problem.grid.shape[0])
    voxels, where = raster(problem, who).data, axis(problem, who)
    if share.start < share.stop:
        for mine, images in zip(voxels[:, share], problem.series.images[:, :, share], strict=True):
            improve(algorithm, images, mine, where, problem.grid.spacing, count)
    join_(voxels, share, team)


SOLVERS = [solver("art"), solver("mlem", counts=True), solver("sirt")]
