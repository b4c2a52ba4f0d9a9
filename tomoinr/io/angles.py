"""Tilt angles as people give them: a range, a text file or a column of one, an .mdoc, numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr.io.lines import lines
from tomoinr.io.mdoc import beside, read_mdoc

MOST_ANGLES = 100_000
BESIDE = (".rawtlt", ".tlt")


def angles_beside(path: Path) -> Path | None:
    """The file of angles that goes with a stack, if there is one."""
    texts = (text for suffix in BESIDE for text in beside(path, suffix))
    mdocs = (mdoc for mdoc in beside(path, ".mdoc") if read_mdoc(mdoc).has_angles)
    return next(texts, None) or next(mdocs, None)


def holds(path: Path, angles: Sequence[float]) -> bool:
    """Whether a file is there and has these very angles, so that it need not be written."""
    try:
        return path.is_file() and read_angles(path) == tuple(angles)
    except TomoinrError:
        return False


def read_angles(given: Any) -> tuple[float, ...]:
    """Tilt angles (degrees).

    `"start:stop:step"`, a text file with one value a line, `"file:2"` for its second column, an
    .mdoc of SerialEM, or a sequence of numbers.
    """
    if isinstance(given, (str, Path)):
        return _from_text(str(given))
    try:
        angles = tuple(float(a) for a in np.asarray(given).reshape(-1))
    except (TypeError, ValueError):
        raise TomoinrError("angles must be numbers in degrees, one for each image") from None
    if not all(map(math.isfinite, angles)):
        raise TomoinrError("angles must be finite numbers in degrees, one is not")
    return angles


def _from_text(given: str) -> tuple[float, ...]:
    """A name that is there is a file, whatever it looks like."""
    name, _, column = given.rpartition(":")
    if os.path.isfile(given):
        return _angle_file(Path(given), None)
    if len(column) < 5 and column.isdecimal() and int(column) and os.path.isfile(name):
        return _angle_file(Path(name), int(column))
    if given.count(":") == 2:
        return _angle_range(given)
    why = "this is a folder, not a" if os.path.isdir(given) else "there is no such"
    raise TomoinrError(f"{given[:200]}: {why} file of angles (or give them as -60:60:3)")


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


def _angle_file(path: Path, column: int | None) -> tuple[float, ...]:
    if path.suffix.lower() == ".mdoc":
        return read_mdoc(path).angles
    numbered = ((n, line.split("#")[0].strip()) for n, line in lines(path, "a list of angles"))
    angles = tuple(_angle(path, n, text, column) for n, text in numbered if text)
    if not angles:
        raise TomoinrError(f"{path}: holds no angles; write one value in degrees a line")
    return angles


def _angle(path: Path, number: int, line: str, column: int | None) -> float:
    """The number in a column (from 1; columns are parted by commas or blanks), or the only one."""
    if "\0" in line:
        raise TomoinrError(f"{path}: this is no text; write one angle in degrees a line")
    parts = line.split(",") if "," in line else line.split()
    wanted = column or 1
    fits = wanted <= len(parts) if column else len(parts) == 1
    try:
        angle = float(parts[wanted - 1]) if fits else math.nan
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        what = f"has no angle in column {column}" if column else "is not one angle in degrees"
        hint = "" if column or len(parts) == 1 else "; name a column, from 1, as in FILE:2"
        raise TomoinrError(f"{path}, line {number}: {line[:40]!r} {what}{hint}")
    return angle
