"""What a file says is believed only where it can be true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError

# Images do not compress 250-fold. Small files may claim this much all the same.
RATIO, SPARED = 250, 64 << 20
ANGSTROMS = {
    "pm": 0.01, "picometer": 0.01, "picometre": 0.01,
    "å": 1.0, "a": 1.0, "ang": 1.0, "angstrom": 1.0, "angstroms": 1.0, "ångström": 1.0,
    "nm": 10.0, "n_m": 10.0, "nanometer": 10.0, "nanometre": 10.0,
    "µm": 1e4, "μm": 1e4, "um": 1e4, "u_m": 1e4, "\\u00b5m": 1e4,
    "micron": 1e4, "microns": 1e4, "micrometer": 1e4, "micrometre": 1e4,
    "mm": 1e7, "millimeter": 1e7, "millimetre": 1e7,
    "cm": 1e8, "centimeter": 1e8, "centimetre": 1e8,
    "m": 1e10, "meter": 1e10, "metre": 1e10,
}  # fmt: skip


def check_numbers(path: Path, dtype: np.dtype) -> None:
    """Refuse what is not real numbers."""
    if dtype.kind not in "biuf":
        raise TomoinrError(
            f"{path}: holds values of type '{dtype}'; images must be real numbers (of complex "
            "ones save the size or the phase)"
        )


def check_axes(path: Path, shape: Sequence[int], allowed: Sequence[int] = (3,)) -> None:
    """Refuse arrays that are no stack of images."""
    if len(shape) not in allowed or 0 in shape:
        raise TomoinrError(
            f"{path}: a tilt series has three axes (images, rows, columns), none of them empty; "
            f"this has {len(shape)}: {' × '.join(map(str, shape))}"
        )


def check_size(path: Path, claimed: int, stored: int) -> None:
    """Refuse a file that claims to hold far more bytes than it has."""
    if claimed > SPARED + RATIO * stored:
        raise TomoinrError(
            f"{path}: claims {claimed} bytes of images but stores {stored}; it is damaged or "
            "incomplete, copy or export it again"
        )


def angstroms(unit: str) -> float | None:
    """How long a unit is in Å; `None` where it is none of length."""
    return ANGSTROMS.get(unit.strip().strip("[]").strip().lower())


def square_pixels(path: Path, given: float | None, sizes: Iterable[float]) -> float | None:
    """The size (Å) that all axes agree on, to seven digits; what the user gave goes before."""
    if given is not None:
        return given
    first, *rest = (float(size) for size in sizes)
    if not all(1e-3 <= size <= 1e10 for size in (first, *rest)):
        raise TomoinrError(
            f"{path}: pixels of {first:g} Å; they must be above zero and plausible: give the "
            "right size in Å (--pixel-size, in Python pixel_size=)"
        )
    if not all(math.isclose(size, first, rel_tol=0.01) for size in rest):
        told = " × ".join(f"{size:g}" for size in (first, *rest))
        raise TomoinrError(
            f"{path}: pixels of {told} Å, but only square ones can be used; if they are square, "
            "give their size (--pixel-size, in Python pixel_size=)"
        )
    return float(f"{first:.7g}")


def angles_of(path: Path, values: Any, radians: bool = False) -> tuple[float, ...]:
    """Finite angles in degrees."""
    numbers = np.asarray(values)
    check_numbers(path, numbers.dtype)
    numbers = numbers.astype(np.float64).reshape(-1)
    if not np.isfinite(numbers).all():
        raise TomoinrError(f"{path}: a tilt angle in it is not a finite number; give them")
    return tuple((np.rad2deg(numbers) if radians else numbers).tolist())


def axis_of(path: Path, value: Any) -> float | None:
    """Where the tilt axis runs (degrees counter-clockwise from y), where that is said."""
    if value is None:
        return None
    degrees = float(np.asarray(value).reshape(-1)[0]) if np.size(value) else math.nan
    if not abs(degrees) <= 360:
        raise TomoinrError(f"{path}: a tilt axis at {degrees}° in it; give it (--tilt-axis)")
    return degrees


def channels_of(names: Iterable[str], count: int, default: tuple[str, ...]) -> tuple[str, ...]:
    """Names that the file gives, where there is one for each channel."""
    found = tuple(map(str, names))
    return found if len(found) == count else default
