"""TomoPy and tomoinr: its algorithms as solvers here, our solvers as its algorithms."""

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Solver
from tomoinr_tomopy.algorithm import Algorithm
from tomoinr_tomopy.library import installed, require
from tomoinr_tomopy.solvers import SOLVERS

__all__ = ["Algorithm", "inr", "sirt", "tv"]

inr, sirt, tv = Algorithm(), Algorithm(solver="sirt"), Algorithm(solver="tv")


@hookimpl
def tomoinr_libraries() -> dict[str, str]:
    """TomoPy, if it is there."""
    return {"TomoPy": installed()}


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """The solvers; without TomoPy, an error that says how to get it."""
    require()
    return SOLVERS
