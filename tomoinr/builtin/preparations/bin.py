"""Fewer, larger pixels, by cutting off the frequencies that these cannot show.

The images are taken as mirrored at their borders, so that opposite borders do not meet: what is cut
is a cosine series. Its terms are then summed at the new pixels' middles, wherever these lie between
the old ones, so that any factor keeps the middle of the box where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from tomoinr.builtin.preparations.images import each
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import positions
from tomoinr.interfaces import Preparation
from tomoinr.options import option

ROUNDING = 1e-9  # 6 / 1.2 is five, whatever a computer says


class Bin(Preparation):
    """Fewer, larger pixels: Fourier cropping; values are means, so a constant stays as it is."""

    name = "bin"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of binning."""

        factor: float = option(
            2.0, "how many old pixels a new one is wide; need not be whole", low=1
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """As many whole new pixels as fit, around the same middle."""
        factor, (_, rows, columns) = self.options.factor, series.shape
        if factor > min(rows, columns):
            raise TomoinrError(
                f"{series.source}: images of {rows} × {columns} cannot be binned by {factor:g}"
            )
        across, along = shrinking(columns, factor), shrinking(rows, factor)
        binned = each(series, lambda image, _: along @ (image @ across.T))
        return replace(binned, pixel_size=series.pixel_size * factor)


@lru_cache(maxsize=2)
def shrinking(n: int, factor: float) -> Tensor:
    """What takes `n` samples to those of a grid `factor` times coarser: (new, n)."""
    new = math.floor(n / factor + ROUNDING)
    terms = math.ceil(n / factor - ROUNDING)
    old_index, new_index = (torch.arange(count, dtype=torch.float64) for count in (n, new))
    here = (positions(n, 1.0, old_index) + n / 2) * torch.pi / n
    there = (positions(new, factor, new_index) + n / 2)[:, None] * torch.pi / n
    return ((_cosines(there - here, terms) + _cosines(there + here, terms)) / n).float()


def _cosines(angle: Tensor, terms: int) -> Tensor:
    """1/2 + cos t + cos 2t + …, so many terms, in closed form."""
    half = torch.sin(angle / 2)
    flat = half.abs() < ROUNDING  # a multiple of the whole turn: every cosine is one
    series = torch.sin((terms - 0.5) * angle) / (2 * half.masked_fill(flat, 1))
    return series.masked_fill(flat, terms - 0.5)
