"""What every image shows though no specimen is there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.builtin.preparations.border import Sides, surface
from tomoinr.builtin.preparations.images import each
from tomoinr.data import TiltSeries
from tomoinr.interfaces import Preparation
from tomoinr.options import option


class Background(Preparation):
    """A constant, a plane or a polynomial through each image's border is taken off."""

    name = "background"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of background subtraction."""

        order: int = option(0, "0: a constant, 1: a plane, 2 or 3: curved", low=0, high=3)
        width: float = option(0.1, "of the border, as a fraction of the image", low=0.001, high=0.5)
        sides: Sides = option(
            "all", "which border: all around, x: left and right, y: first and last rows"
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every image without its own background."""
        o = self.options

        def without(image: Tensor, number: int) -> Tensor:
            return image - torch.from_numpy(surface(image, o.order, o.width, o.sides)).to(image)

        return each(series, without)
