"""Images turned by quarters and mirrored, while the specimen keeps its hand.

An image tells nothing about the direction along the beam. So a mirrored image is also an image of
the same specimen, turned by half a turn about the line that the mirror leaves in place:

- columns reversed (x): half a turn about y; the angles stay, and an oblique tilt axis leans to the
  other side;
- rows reversed (y): half a turn about x; the angles change their sign, and the axis leans over.

An image turned by half a turn is one of the specimen turned so about the beam; the axis then runs
as before, and the angles change their sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from tomoinr.data import TiltSeries
from tomoinr.interfaces import Preparation
from tomoinr.options import option


class Flip(Preparation):
    """Mirrored images; angles and axis follow, so that the specimen is turned, not mirrored."""

    name = "flip"

    @dataclass(frozen=True)
    class Options:
        """Options of the flip."""

        along: Literal["x", "y"] = option("x", "what is reversed: x: columns, y: rows")

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Images of the same specimen, seen from behind."""
        rows = self.options.along == "y"
        return replace(
            series,
            images=series.images.flip(-2 if rows else -1),
            angles=-series.angles if rows else series.angles,
            tilt_axis=-series.tilt_axis,
        )


class Rotate(Preparation):
    """Images turned by quarters, from x towards y; the tilt axis turns with them."""

    name = "rotate"

    @dataclass(frozen=True)
    class Options:
        """Options of the rotation."""

        degrees: Literal[90, 180, 270] = option(90, "from x (columns) towards y (rows)")

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Images of the same specimen, turned about the beam."""
        quarters = self.options.degrees // 90
        axis, sign = _upright(series.tilt_axis + self.options.degrees)
        return replace(
            series,
            # Torch turns the first axis towards the second: rows towards columns.
            images=torch.rot90(series.images, -quarters, dims=(-2, -1)).contiguous(),
            angles=series.angles * sign,
            tilt_axis=axis,
        )


def _upright(degrees: float) -> tuple[float, int]:
    """An axis not upside down, in degrees, and the sign that the tilts then take."""
    wrapped = (degrees + 180) % 360 - 180
    if abs(wrapped) <= 135:
        return wrapped, 1
    return (wrapped + 90) % 180 - 90, -1
