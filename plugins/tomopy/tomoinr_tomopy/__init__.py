"""TomoPy in tomoinr: its iterative algorithms as solvers."""

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Solver
from tomoinr_tomopy.library import require
from tomoinr_tomopy.solvers import SOLVERS


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """The solvers; without TomoPy, an error that says how to get it."""
    require()
    return SOLVERS
