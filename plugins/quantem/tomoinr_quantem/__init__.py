"""quantEM and tomoinr: its datasets and results here, our results there, its network a solver."""

from pathlib import Path

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Solver
from tomoinr.stack import Stack
from tomoinr_quantem.datasets import dataset_of, series_of, volume_of
from tomoinr_quantem.files import read
from tomoinr_quantem.library import installed, require
from tomoinr_quantem.solver import QuantemInr

__all__ = ["dataset_of", "series_of", "volume_of"]


@hookimpl(tryfirst=True)
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | None:
    """A dataset that quantEM saved, as a folder or a ZIP file; needs no quantEM."""
    return read(path, pixel_size)


@hookimpl
def tomoinr_libraries() -> dict[str, str]:
    """quantEM, if it is there."""
    return {"quantEM": installed()}


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """The solver; without quantEM, an error that says how to get it."""
    require()
    return [QuantemInr]
