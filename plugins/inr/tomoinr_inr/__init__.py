"""Implicit neural representations: volumes that are functions with learned weights."""

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Volume
from tomoinr_inr.fourier import Fourier
from tomoinr_inr.grid import FeatureGrid
from tomoinr_inr.hsiren import HSiren
from tomoinr_inr.kplanes import KPlanes
from tomoinr_inr.siren import Siren


@hookimpl
def tomoinr_volumes() -> list[type[Volume]]:
    """Three networks of waves and two of interpolated features."""
    return [Siren, HSiren, Fourier, FeatureGrid, KPlanes]
