"""Tilt angles as people give them: a range, a text file, numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError

MOST_ANGLES = 100_000
BESIDE = (".rawtlt", ".tlt")


def angles_beside(path: Path) -> Path | None:
    """The file of angles that goes with a stack, if there is one."""
    return next((p for s in BESIDE if (p := path.with_suffix(s)).exists()), None)


def read_angles(given: Any) -> tuple[float, ...]:
    """Tilt angles (degrees) from `"start:stop:step"`, a text file or a sequence of numbers."""
    if isinstance(given, str) and ":" in given and not Path(given).exists():
        return _angle_range(given)
    if isinstance(given, (str, Path)):
        return _angle_file(Path(given))
    try:
        angles = tuple(float(a) for a in np.asarray(given).reshape(-1))
    except (TypeError, ValueError):
        raise TomoinrError("angles must be numbers in degrees, one for each image") from None
    if not all(map(math.isfinite, angles)):
        raise TomoinrError("angles must be finite numbers in degrees, one is not")
    return angles


def _angle_range(text: str) -> tuple[float, ...]:
    """Both ends included; a stop that misses the last step by rounding counts as met."""
    try:
        start, stop, step = map(float, text.split(":"))
        steps = math.floor((stop - start) / step + 1e-6)
    except (ValueError, ZeroDivisionError, OverflowError):
        steps = -1
    if not 0 <= steps < MOST_ANGLES:
        raise TomoinrError(f"angles '{text}' must be start:stop:step in degrees, as in -60:60:3")
    return tuple(start + i * step for i in range(steps + 1))


def _angle_file(path: Path) -> tuple[float, ...]:
    if not path.is_file():
        raise TomoinrError(f"{path}: there is no such file of angles (or give them as -60:60:3)")
    if path.stat().st_size > 100 * MOST_ANGLES:
        raise TomoinrError(f"{path}: too large to be a list of angles; one value a line")
    lines = path.read_bytes().decode("latin-1").splitlines()
    values = [(n, line.split("#")[0].strip()) for n, line in enumerate(lines, 1)]
    angles = tuple(_angle(path, n, text) for n, text in values if text)
    if not angles:
        raise TomoinrError(f"{path}: holds no angles; write one value in degrees a line")
    return angles


def _angle(path: Path, number: int, text: str) -> float:
    try:
        angle = float(text)
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        raise TomoinrError(f"{path}, line {number}: {text[:40]!r} is not one angle in degrees")
    return angle
