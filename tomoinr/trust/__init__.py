"""How far a reconstruction can be believed: `print(assess(result))`."""

from tomoinr.trust.doubts import warnings
from tomoinr.trust.halves import Halves, halves
from tomoinr.trust.held_out import HeldOut, held_out
from tomoinr.trust.race import Chosen, choose
from tomoinr.trust.report import FILES, Trust, assess, save
from tomoinr.trust.residuals import PerTilt, residuals
from tomoinr.trust.uncertainty import Uncertainty, uncertainty
from tomoinr.trust.wedge import filled

__all__ = [
    "FILES",
    "Chosen",
    "Halves",
    "HeldOut",
    "PerTilt",
    "Trust",
    "Uncertainty",
    "assess",
    "choose",
    "filled",
    "halves",
    "held_out",
    "residuals",
    "save",
    "uncertainty",
    "warnings",
]
