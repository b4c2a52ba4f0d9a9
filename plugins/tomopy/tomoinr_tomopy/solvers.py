"""TomoPy's algorithms as solvers; only their names and what they are called with differ."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any

from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.slicewise import join_, misfit, raster
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_tomopy import library
from tomoinr_tomopy.methods import METHODS, Method
from tomoinr_tomopy.recon import axis

START = 1e-6  # TomoPy's own: an algorithm that multiplies cannot leave zero
PORTIONS = 8  # that a volume is solved in where an algorithm cannot be interrupted


def solver(method: Method) -> type[Solver]:
    """The solver of an algorithm of `tomopy.recon`."""

    class TomopySolver(Solver):
        """Slice by slice on the CPU, from the voxels as they are."""

        name = f"tomopy-{method.algorithm}"
        needs = frozenset({Ability.BLOCKS})
        partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}
        Options = method.Options

        def __init__(self, options: Any) -> None:
            self.options = options

        def init(self, problem: Problem, team: Team) -> Iterate:
            """Refuse what TomoPy cannot do, and start where it starts."""
            _check(problem, self.name, method)
            state, rows = Iterate(), problem.grid.shape[0]
            state.of = ceil(rows / _thick(rows)) if method.whole else self.options.steps
            return state

        def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
            """`every` iterations, or a slab to its end; the loss is the mean squared residual."""
            more = method.arguments(self.options, problem.series)
            slab, count = _slab(problem, state.step), 1
            if not method.whole:
                slab, count = slice(None), min(self.options.every, self.options.steps - state.step)
                more["num_iter"] = count
            call = partial(method.call, method.algorithm, arguments=more)
            _solve(call, problem, self.name, slab, team)
            state.step += count
            return misfit(problem, team)

        def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
            """After the iterations asked for, or the last slab."""
            if method.whole:
                return _slab(problem, state.step).start >= problem.grid.shape[0]
            return bool(state.step >= self.options.steps)

    return TomopySolver


def _slab(problem: Problem, number: int) -> slice:
    """One of at most `PORTIONS` slabs of slices."""
    thick = _thick(problem.grid.shape[0])
    return slice(number * thick, (number + 1) * thick)


def _thick(rows: int) -> int:
    """Slices of a slab."""
    return ceil(rows / PORTIONS)


def _check(problem: Problem, who: str, method: Method) -> None:
    library.load()
    axis(problem, who)
    voxels = raster(problem, who).data
    _, depth, width = problem.grid.shape
    if method.even and (depth - width) % 2:
        raise TomoinrError(
            f"{who} works on square slices, and {depth} voxels of depth cannot be in the middle of "
            f"{width}; give a depth of {depth + 1}, or use the solver 'tv'"
        )
    if method.counts and bool((problem.series.images < 0).any()):
        raise TomoinrError(
            f"{who} takes no images with values below zero; raise them all by the lowest, or use "
            "the solver 'tomopy-sirt'"
        )
    if not bool(voxels.any()):
        voxels.fill_(START)


def _solve(call: Any, problem: Problem, who: str, slab: slice, team: Team) -> None:
    """One call on each channel of some slices, each rank on its share."""
    where, pixel = axis(problem, who), problem.grid.spacing
    voxels = raster(problem, who).data[:, slab]
    images = problem.series.images[:, :, slab]
    share = team.share(voxels.shape[1])
    found = voxels.clone()
    if share.start < share.stop:
        for mine, seen in zip(found[:, share], images[:, :, share], strict=True):
            call(seen, mine, where, pixel)
    join_(found, share, team)
    voxels.copy_(found)


SOLVERS = [solver(method) for method in METHODS]
