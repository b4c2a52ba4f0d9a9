"""How noisy the images are, found from the images: variance = gain × intensity + floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn import functional

BINS = 24
ROUNDS = 4
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
    """Fit the two numbers to images (tilts, rows, columns), less what is `explained` of them.

    Fourth differences along both axes leave only the corners of Fourier space, where specimens
    show little and white noise shows in full. Its power, in bins of equal intensity, gives the
    variance at each intensity; what is left of the specimen only adds to it.
    """
    filter_ = images.new_tensor([1.0, -4, 6, -4, 1]) / 70**0.5
    kernel = torch.outer(filter_, filter_)[None, None]
    left = images if explained is None else images - explained
    rough = functional.conv2d(left[:, None], kernel)[:, 0].square().flatten().double()
    level = smooth(images) if explained is None else explained
    level = level[:, 2:-2, 2:-2].flatten().double()
    parts = [p for p in torch.argsort(level).chunk(BINS) if len(p)]
    x = np.array([float(level[p].mean()) for p in parts])
    y = np.array([float(_trimmed_mean(rough[p])) for p in parts])
    design = np.stack((np.maximum(x, 0), np.ones_like(x)), axis=1)
    expected = np.full_like(y, y.mean() + 1e-30)
    for _ in range(ROUNDS):  # the error of a variance is in proportion to it
        (gain, floor), _ = nnls(design / expected[:, None], y / expected)
        expected = design @ (gain, floor) + 0.05 * y.mean() + 1e-30
    return Noise(float(gain), float(floor))


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
