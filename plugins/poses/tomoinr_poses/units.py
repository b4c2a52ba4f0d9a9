"""One unit for shifts and angles, so that one learning rate suits both: a pixel."""

from __future__ import annotations

from math import degrees, hypot, sqrt

from tomoinr.geometry import Grid


def degrees_per_pixel(grid: Grid) -> float:
    """The angle whose arc is a pixel at the image's rms radius (of a square: width / √6)."""
    rows, _, columns = grid.shape
    return degrees(sqrt(12) / hypot(rows, columns))
