"""What a residual costs: how much it weighs, given the prediction, the data and the noise.

Every loss is written as a weight, held fixed while the gradient is taken: the gradient of half the
weighted square is then the loss's own. So a residual may be filtered after it was weighted, and an
outlier is tamed before a filter spreads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.noise import MODEL_ERROR, Noise, calibrate

LossName = Literal["l2", "smooth-l1", "poisson", "huber"]

# Of the mean variance: no pixel counts as better known. Less, and the pixels that a model far from
# its goal takes for empty would drive every step.
LEAST = 0.2
OUTLIER = 3.0  # standard errors from which Huber's cost is a straight line


@dataclass(frozen=True)
class PixelNoise:
    """Of each channel: `gain` × expected value + `floor` is a pixel's variance, `mean` the mean.

    All three (channels,). `unit` is the size of a residual that the plain losses call one.
    """

    unit: float
    gain: Tensor
    floor: Tensor
    mean: Tensor

    @classmethod
    def even(cls, images: Tensor, unit: float) -> PixelNoise:
        """The same everywhere, one unit: what the plain losses take for granted."""
        square = images.new_full((len(images),), unit**2)
        return cls(unit, torch.zeros_like(square), square, square)

    @classmethod
    def of(cls, images: Tensor, unit: float, explained: Tensor | None = None) -> PixelNoise:
        """Measured on images (channels, tilts, rows, columns), or on what a model leaves."""
        models = [None] * len(images) if explained is None else list(explained)
        found = [_with_model_error(*pair) for pair in zip(images, models, strict=True)]
        gain = images.new_tensor([noise.gain for noise in found])
        floor = images.new_tensor([noise.floor for noise in found])
        return cls(unit, gain, floor, gain * images.mean(dim=(1, 2, 3)).clamp(min=0) + floor)

    def again(self, images: Tensor, explained: Tensor) -> PixelNoise:
        """Measured anew on what a model leaves; outliers count as just so large as to be some."""
        largest = OUTLIER * self.error(explained)
        tame = images.clamp(explained - largest, explained + largest)
        return PixelNoise.of(tame, self.unit, explained)

    def relative(self, expected: Tensor) -> Tensor:
        """Variance of pixels (channels, …) with these expected values; the mean variance is 1."""
        gain, floor, mean = (
            t.reshape(-1, *[1] * (expected.dim() - 1)) for t in (self.gain, self.floor, self.mean)
        )
        return ((gain * expected.clamp(min=0) + floor) / mean).clamp(min=LEAST)

    def error(self, expected: Tensor) -> Tensor:
        """Standard error of such pixels."""
        mean = self.mean.reshape(-1, *[1] * (expected.dim() - 1))
        return (self.relative(expected) * mean).sqrt()

    def state_dict(self) -> dict[str, Tensor]:
        """What was measured."""
        return {"gain": self.gain, "floor": self.floor, "mean": self.mean}


def _with_model_error(images: Tensor, explained: Tensor | None) -> Noise:
    noise = calibrate(images, explained)
    least = MODEL_ERROR**2 * float(images.square().mean()) + 1e-30
    return Noise(noise.gain, noise.floor + least)


def _l2(prediction: Tensor, data: Tensor, noise: PixelNoise) -> Tensor:
    """All alike."""
    return torch.ones_like(prediction)


def _smooth_l1(prediction: Tensor, data: Tensor, noise: PixelNoise) -> Tensor:
    """A straight line beyond one unit."""
    return _bent((prediction - data) / noise.error(prediction), 1.0)


def _poisson(prediction: Tensor, data: Tensor, noise: PixelNoise) -> Tensor:
    """Minus the log-likelihood of counts, with read-out noise as so many counts more.

    Its derivative is residual / variance, the variance being that of the expected value: counts
    themselves would call empty pixels certain.
    """
    return 1 / noise.relative(prediction)


def _huber(prediction: Tensor, data: Tensor, noise: PixelNoise) -> Tensor:
    """The same up to three standard errors, a straight line beyond."""
    bent = _bent((prediction - data) / noise.error(prediction), OUTLIER)
    return bent / noise.relative(prediction)


def _bent(size: Tensor, bend: float) -> Tensor:
    """The weight that turns a parabola into a straight line beyond `bend`."""
    return (bend / size.abs().clamp(min=bend)).to(size.dtype)


WEIGHTS: dict[str, Callable[[Tensor, Tensor, PixelNoise], Tensor]] = {
    "l2": _l2,
    "smooth-l1": _smooth_l1,
    "poisson": _poisson,
    "huber": _huber,
}
NEEDS_NOISE = ("poisson", "huber")


def residuals(loss: LossName, prediction: Tensor, data: Tensor, noise: PixelNoise) -> Tensor:
    """In units, weighted: half their square has the gradient of the loss (channels, …)."""
    with torch.no_grad():
        root = WEIGHTS[loss](prediction, data, noise).sqrt()
    return (prediction - data) / noise.unit * root
