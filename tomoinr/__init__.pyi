"""tomoinr: electron tomography from one tilt series, with no training data."""

from tomoinr.api import reconstruct
from tomoinr.data import Reconstruction, Record, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses, Views, place
from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import (
    Ability,
    PoseModel,
    Prior,
    Problem,
    Projector,
    Solver,
    Volume,
)
from tomoinr.options import option
from tomoinr.plugins import Plugins
from tomoinr.version import __version__

__all__ = [
    "Ability",
    "Grid",
    "Pixels",
    "Plugins",
    "PoseModel",
    "Poses",
    "Prior",
    "Problem",
    "Projector",
    "Reconstruction",
    "Record",
    "Solver",
    "TiltSeries",
    "TomoinrError",
    "Views",
    "Volume",
    "__version__",
    "hookimpl",
    "option",
    "place",
    "reconstruct",
]
