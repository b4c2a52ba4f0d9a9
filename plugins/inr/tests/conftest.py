"""Every network volume, and a specimen for it to learn."""

import pytest
import torch

from tomoinr.geometry import Grid
from tomoinr.interfaces import Volume
from tomoinr.options import parse
from tomoinr_inr import tomoinr_volumes

torch.set_num_threads(1)

CLASSES = {cls.name: cls for cls in tomoinr_volumes()}
# Small enough for a test; hashed grids are a case of their own.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "siren": ("siren", {}),
    "hsiren": ("hsiren", {}),
    "fourier": ("fourier", {}),
    "grid": ("grid", {}),
    "hashed grid": ("grid", {"limit": 8}),
    "kplanes": ("kplanes", {}),
}


def build(case: str, grid: Grid, channels: int = 1, **more: object) -> Volume:
    """One of the cases, with further options."""
    torch.manual_seed(0)
    name, table = CASES[case]
    cls = CLASSES[name]
    return cls(parse(cls.Options, {**table, **more}, name), grid, channels)  # type: ignore[call-arg]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """The name of each case in turn."""
    return str(request.param)


@pytest.fixture
def make():
    """The builder above, for tests that choose cases, grids and options themselves."""
    return build
