"""What a Dataset3d says of its axes, believed only where it can be true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError

ANGSTROMS = {"pm": 0.01, "a": 1.0, "å": 1.0, "ang": 1.0, "angstrom": 1.0, "angstroms": 1.0}
ANGSTROMS |= {"nm": 10.0, "nanometer": 10.0, "um": 1e4, "µm": 1e4, "μm": 1e4, "micron": 1e4}
DEGREES = {"deg", "degree", "degrees", "°"}


@dataclass(frozen=True)
class Calibration:
    """Origin, step and unit of each axis; and of the metadata what concerns tilts."""

    name: str = ""
    origin: tuple[float, ...] = ()
    sampling: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    listed: Any = None  # angles in degrees, or none
    tilt_axis: float = 0.0  # degrees by which it leaves the images' rows

    def angles(self, count: int) -> tuple[float, ...] | None:
        """Degrees: those listed, else those of the first axis, if it is in degrees."""
        if self.listed is not None:
            return tuple(np.asarray(self.listed, np.float64).reshape(-1).tolist())
        if not self.units or self.units[0].strip().lower() not in DEGREES:
            return None
        return tuple(self.origin[0] + i * self.sampling[0] for i in range(count))

    def pixel_size(self, where: str, given: float | None) -> float | None:
        """Å; none where the axes are in no unit of length."""
        factors = [ANGSTROMS.get(unit.strip().lower()) for unit in self.units[1:]]
        if given is not None or not factors or None in factors:
            return given
        sizes = [s * (f or 1) for s, f in zip(self.sampling[1:], factors, strict=True)]
        if not all(1e-3 <= size <= 1e10 for size in sizes) or not math.isclose(
            *sizes, rel_tol=0.01
        ):
            raise TomoinrError(
                f"{where}: pixels of {sizes[1]:g} × {sizes[0]:g} Å, but they must be square and "
                "plausible; give the right size in Å (--pixel-size, in Python pixel_size=)"
            )
        return float(f"{sizes[0]:.7g}")
