"""Images that count alike, and absorption from what came through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.preparations.border import Sides, level
from tomoinr.builtin.preparations.images import each, name, noted
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Preparation
from tomoinr.options import option

WIDTH = "of the border where the beam is seen, as a fraction of the image"
WHICH = "which border: all around, x: left and right, y: first and last rows"


class Normalise(Preparation):
    """Images multiplied so that their means, or their incident beams, are the same."""

    name = "normalise"

    @dataclass(frozen=True)
    class Options:
        """Options of normalisation."""

        by: Literal["mean", "beam"] = option(
            "mean", "what becomes equal: the mean intensity, or the beam seen at the border"
        )
        level: float | None = option(
            None, "what it becomes; none: its mean over the images", low=1e-30
        )
        width: float = option(0.1, WIDTH, low=0.001, high=0.5)
        sides: Sides = option("all", WHICH)

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every channel by itself."""
        found = torch.tensor([[self._level(i) for i in c] for c in series.images])
        for channel, number in (found <= 0).nonzero().tolist():
            raise TomoinrError(
                f"{name(series, number)} has a {self.options.by} of {found[channel, number]:.3g}, "
                "which no factor makes equal to others; exclude it, or normalise before a "
                "background is subtracted"
            )
        wanted = self.options.level or found.mean(1, keepdim=True)
        factors = wanted / found
        low, high = float(factors.min()), float(factors.max())
        images = series.images * factors[..., None, None]
        note = f"brightness evened by the {self.options.by}: factors {low:.4g} to {high:.4g}"
        return noted(replace(series, images=images), note)

    def _level(self, image: Tensor) -> float:
        if self.options.by == "beam":
            return level(image, self.options.width, self.options.sides)
        return float(image.mean(dtype=torch.float64))


class Log(Preparation):
    """Absorption of bright-field and X-ray images: −log(I / I₀)."""

    name = "log"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of the logarithm."""

        incident: float | None = option(
            None, "I₀, the beam without a specimen; none: as seen at each image's border", low=1e-30
        )
        floor: float | None = option(
            None,
            "fraction of I₀ that smaller values are raised to; none: values of zero or below are "
            "refused",
            low=1e-12,
            high=1,
        )
        width: float = option(0.1, WIDTH, low=0.001, high=0.5)
        sides: Sides = option("all", WHICH)

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """What adds up along the beam."""
        return each(series, lambda image, number: self._absorbed(series, image, number))

    def _absorbed(self, series: TiltSeries, image: Tensor, number: int) -> Tensor:
        o = self.options
        beam = o.incident or level(image, o.width, o.sides)
        if beam <= 0:
            raise TomoinrError(
                f"{name(series, number)} is {beam:.3g} at its border, which is no incident beam; "
                "give it (incident)"
            )
        passed = image / beam if o.floor is None else (image / beam).clamp(min=o.floor)
        if not bool((passed > 0).all()):
            raise TomoinrError(
                f"{name(series, number)}: {int((passed <= 0).sum())} values are zero or below and "
                "have no logarithm; mend dead pixels first (outliers), or give a floor"
            )
        return -passed.log()
