"""Steps that make the images ready, one file a step or a few of a kind."""

from tomoinr.builtin.preparations.background import Background
from tomoinr.builtin.preparations.bin import Bin
from tomoinr.builtin.preparations.box import Crop, Pad
from tomoinr.builtin.preparations.brightness import Log, Normalise
from tomoinr.builtin.preparations.dose import Dose
from tomoinr.builtin.preparations.exclude import Exclude
from tomoinr.builtin.preparations.mask import Mask
from tomoinr.builtin.preparations.outliers import Outliers
from tomoinr.builtin.preparations.turn import Flip, Rotate
from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Preparation


@hookimpl
def tomoinr_preparations() -> list[type[Preparation]]:
    """Geometry, faults, brightness, choice of images."""
    return [
        Background,
        Bin,
        Crop,
        Dose,
        Exclude,
        Flip,
        Log,
        Mask,
        Normalise,
        Outliers,
        Pad,
        Rotate,
    ]
