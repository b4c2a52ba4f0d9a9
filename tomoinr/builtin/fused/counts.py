"""Images as counts of which the likelihood is Poisson's, down to a twentieth of a count a pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tomoinr.builtin.noise import calibrate
from tomoinr.builtin.thinning import NEAR, quantum
from tomoinr.data import NoiseName, TiltSeries

NORMAL = 30.0  # times the largest value: with so many counts added, Poisson's noise is normal
EMPTY = 0.01  # of the mean count: no pixel is expected to show less, where that is judged


@dataclass(frozen=True)
class Counting:
    """Pixel = `gain` × count, and count + `background` is a Poisson number.

    A background makes read-out noise of Poisson's: its variance is that of as many counts.
    """

    gain: float
    background: float = 0.0

    @classmethod
    def of(cls, series: TiltSeries, noise: NoiseName, weight: float = 1.0) -> Counting:
        """Found from the images of one channel; `weight`: as if so many times as much counted."""
        images = series.images[0]
        found = calibrate(images)
        unit = quantum(images)
        counted = unit and (noise == "poisson" or 1 / NEAR < found.gain / unit < NEAR)
        if counted and noise != "gaussian":
            return cls(unit / weight)
        mean, peak = float(images.mean()), float(images.abs().max())
        variance = found.gain * max(mean, 0.0) + found.floor + 1e-12 * peak**2
        if noise == "poisson" and found.gain > 0:
            return cls(found.gain / weight)
        least = variance / (NORMAL * peak)
        gain = least if noise == "gaussian" else max(found.gain, least)
        background = max(variance / gain**2 - max(mean, 0.0) / gain, 0.0)
        return cls(gain / weight, background * weight)

    def counts(self, images: Tensor) -> Tensor:
        """Of images, background included."""
        return (images / self.gain + self.background).clamp(min=0)

    def of_part(self, kept: float) -> Counting:
        """For images as bright as the others, of which this part of the counts was kept."""
        return replace(self, gain=self.gain / kept, background=self.background * kept)

    def surprise(self, expected: Tensor, images: Tensor) -> Tensor:
        """Minus the log-likelihood of each pixel, but for what no expectation changes."""
        counts = self.counts(images)
        rate = expected / self.gain + self.background
        rate = rate.clamp(min=EMPTY * float(counts.mean()) + 1e-30)
        return rate - torch.xlogy(counts, rate)


def nearest(place: Tensor, counts: Tensor, size: float, background: float, pull: Tensor) -> Tensor:
    """Where Poisson's likelihood and a spring from `place` are at rest.

    Minimises  r - counts · log r + pull/2 · (t - place)²  over r = size · t + background: the root
    of a quadratic equation, which is positive, so that no logarithm is ever taken.
    """
    soft = size**2 / pull
    half = (size * place + background - soft) / 2
    whole = (half.square() + soft * counts).sqrt()
    # The plain sum cancels where half is negative.
    rate = torch.where(half > 0, half + whole, soft * counts / (whole - half).clamp(min=1e-30))
    return (rate - background) / size
