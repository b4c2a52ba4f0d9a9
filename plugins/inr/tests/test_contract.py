"""Every network volume keeps the contract of volumes."""

import pytest

from tomoinr.testing import VolumeContract
from tomoinr_inr import FeatureGrid, Fourier, HSiren, KPlanes, Siren
from tomoinr_inr.hsiren import PAPER

PARTS = {
    "siren": Siren,
    "hsiren": HSiren,
    "paper": (HSiren, PAPER),
    "fourier": Fourier,
    "grid": FeatureGrid,
    "hashed grid": (FeatureGrid, {"limit": 4}),
    "finer grid": (FeatureGrid, {"finest": 1.7, "features": 3}),
    "kplanes": KPlanes,
    "any sign": (KPlanes, {"positive": False}),
}


class TestVolumes(VolumeContract):
    stirred = 0.01  # ω multiplies it: more would leave nothing but noise

    @pytest.fixture(params=PARTS)
    def part(self, request: pytest.FixtureRequest):
        return PARTS[request.param]
