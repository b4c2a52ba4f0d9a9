"""ASTRA in tomoinr: its projector, so that any solver runs on it, and its SIRT as a solver."""

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Projector, Solver
from tomoinr_astra.projector import AstraProjector
from tomoinr_astra.sirt import AstraSirt


@hookimpl
def tomoinr_projectors() -> list[type[Projector]]:
    """ASTRA's projector."""
    return [AstraProjector]


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """ASTRA's SIRT."""
    return [AstraSirt]
