"""Images that fade out across the tilt axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.preparations.images import each
from tomoinr.data import TiltSeries
from tomoinr.geometry import positions
from tomoinr.interfaces import Preparation
from tomoinr.options import option


class Mask(Preparation):
    """A window across the tilt axis with cosine edges, which may narrow with the tilt."""

    name = "mask"

    @dataclass(frozen=True)
    class Options:
        """Options of the mask."""

        width: float | None = option(
            None, "of the window, edges included, at zero tilt, in pixels; none: the image's", low=1
        )
        edge: float = option(8.0, "of the cosine at either side, in pixels", low=0)
        thickness: float | None = option(
            None,
            "of the specimen in pixels: the window is width·cos + thickness·sin of the tilt wide; "
            "none: the same at every tilt",
            low=0,
        )
        outside: Literal["zero", "mean"] = option(
            "zero", "what images fade to; mean: their own mean in the window"
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every image in its window."""
        away = across(series)

        def faded(image: Tensor, number: int) -> Tensor:
            half = self._width(series, number) / 2
            weight = window(away, half, self.options.edge)
            zero = self.options.outside == "zero"
            rest = 0.0 if zero else (weight * image).sum() / weight.sum().clamp(min=1e-30)
            return rest + weight * (image - rest)

        return each(series, faded)

    def _width(self, series: TiltSeries, number: int) -> float:
        """In pixels, at one tilt."""
        o, tilt = self.options, math.radians(float(series.angles[number]))
        width = series.shape[2] if o.width is None else o.width
        if o.thickness is None:
            return width
        return min(width, width * abs(math.cos(tilt)) + o.thickness * abs(math.sin(tilt)))


def across(series: TiltSeries) -> Tensor:
    """How far each pixel is from the tilt axis through the middle: (rows, columns), in pixels."""
    _, rows, columns = series.shape
    axis = math.radians(series.tilt_axis)
    y, x = positions(rows)[:, None], positions(columns)
    return (x * math.cos(axis) + y * math.sin(axis)).abs()


def window(away: Tensor, half: float, edge: float) -> Tensor:
    """One inside, half a cosine down to zero at `half`."""
    inside = ((half - away) / max(edge, 1e-6)).clamp(0, 1)
    return (1 - torch.cos(torch.pi * inside)) / 2
