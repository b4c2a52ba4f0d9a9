"""How noisy the images are, found from the images: variance = gain × intensity + floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn import functional

BINS = 24
MODEL_ERROR = 0.002  # of the images' rms: what a lattice cannot show, however good the data
ROUNDS = 4
ABSORBED = 1.07  # makes up for the noise that a model takes for specimen
TRIMMED = 1.08  # makes up for what trimming takes from the mean of normal numbers' squares
SMOOTH = 1.5  # pixels: enough to tame the noise in the variance, less than a specimen's detail


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: `gain` × its expected value + `floor`, in the images' units."""

    gain: float
    floor: float

    def variance(self, expected: Tensor, least: float = 0.05) -> Tensor:
        """For expected pixels, never below a fraction `least` of the mean variance."""
        variance = self.gain * expected.clamp(min=0) + self.floor
        return variance.clamp(min=max(least * float(variance.mean()), 1e-30))


def calibrate(images: Tensor, explained: Tensor | None = None) -> Noise:
    """Fit the two numbers to images (tilts, rows, columns), or to what a model leaves of them.

    Without a model, fourth differences along both axes leave only the corners of Fourier space,
    where specimens show little and white noise shows in full. The power, in bins of equal
    intensity, gives the variance at each intensity; what is left of the specimen adds to it.
    """
    if explained is None:
        level, power = smooth(images)[:, 2:-2, 2:-2], _corners(images).square()
    else:
        level, power = explained, (images - explained).square() * ABSORBED
    x, y = _binned(level.flatten().double(), power.flatten().double())
    design = np.stack((np.maximum(x, 0), np.ones_like(x)), axis=1)
    expected = np.full_like(y, y.mean() + 1e-30)
    for _ in range(ROUNDS):  # the error of a variance is in proportion to it
        (gain, floor), _ = nnls(design / expected[:, None], y / expected)
        expected = design @ (gain, floor) + 0.05 * y.mean() + 1e-30
    return Noise(float(gain), float(floor))


def _corners(images: Tensor) -> Tensor:
    """Fourth differences along rows and columns, of unit gain for white noise."""
    filter_ = images.new_tensor([1.0, -4, 6, -4, 1]) / 70**0.5
    return functional.conv2d(images[:, None], torch.outer(filter_, filter_)[None, None])[:, 0]


def _binned(level: Tensor, power: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean level and mean power of bins of equally many pixels."""
    parts = [part for part in torch.argsort(level).chunk(BINS) if len(part)]
    x = np.array([float(level[part].mean()) for part in parts])
    return x, np.array([float(_trimmed_mean(power[part])) for part in parts])


def _trimmed_mean(squares: Tensor) -> Tensor:
    """The mean power, less the largest hundredth: outliers are no noise."""
    return squares.sort().values[: max(1, round(0.99 * len(squares)))].mean() * TRIMMED


def smooth(images: Tensor, width: float = SMOOTH) -> Tensor:
    """Gaussian blur of (tilts, rows, columns), `width` in pixels; borders repeat."""
    reach = int(3 * width + 0.5)
    x = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    bell = torch.exp(-0.5 * (x / width) ** 2)
    bell = bell / bell.sum()
    out = functional.pad(images[:, None], (reach,) * 4, mode="replicate")
    out = functional.conv2d(out, bell[None, None, None, :])
    return functional.conv2d(out, bell[None, None, :, None])[:, 0]


class Weighing(NamedTuple):
    """What the noise says about a fit: weights of pixels, and the standard error of a channel."""

    weights: Tensor  # (channels, tilts, rows, columns), about one on average
    error: Tensor  # (channels,) rms standard error of a pixel, in the images' units


def weigh(images: Tensor, explained: Tensor | None = None) -> Weighing:
    """Inverse variances of (channels, tilts, rows, columns), from the images or a model's rest."""
    weights, errors = [], []
    for number, channel in enumerate(images):
        model = None if explained is None else explained[number]
        level = smooth(channel) if model is None else model
        variance = calibrate(channel, model).variance(level)
        variance = variance + MODEL_ERROR**2 * channel.square().mean()
        mean = variance.mean()
        weights.append(mean / variance)
        errors.append(mean.sqrt())
    return Weighing(torch.stack(weights), torch.stack(errors))
