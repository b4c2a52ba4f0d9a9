"""ASTRA in tomoinr, its projector and its solvers; and tomoinr in ASTRA, as three algorithms."""

import astra

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Projector, Solver
from tomoinr_astra.algorithms import Tomoinr, TomoinrSirt, TomoinrTv, register
from tomoinr_astra.cgls import AstraCgls
from tomoinr_astra.fbp import AstraFbp
from tomoinr_astra.projector import AstraProjector
from tomoinr_astra.sart import AstraSart
from tomoinr_astra.sirt import AstraSirt

__all__ = ["Tomoinr", "TomoinrSirt", "TomoinrTv", "register"]


@hookimpl
def tomoinr_libraries() -> dict[str, str]:
    """ASTRA, and what it works on."""
    return {"ASTRA": f"{astra.__version__}, {'a GPU' if astra.use_cuda() else 'CPUs only'}"}


@hookimpl
def tomoinr_projectors() -> list[type[Projector]]:
    """ASTRA's projector."""
    return [AstraProjector]


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """ASTRA's own, on the CPU."""
    return [AstraCgls, AstraFbp, AstraSart, AstraSirt]
