"""How well each image is explained: what is left of it, in units of its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tomoinr.builtin.noise import calibrate
from tomoinr.data import Reconstruction
from tomoinr.trust.again import predicted
from tomoinr.trust.robust import above_neighbours, mad

MODEL_ERROR = 0.002  # of the images' rms: what voxels cannot show, however good the data
LATTICE = 0.2  # pixels: voxels place an edge no finer than this
LEAST_SPREAD = 0.075  # of χ²: facets and films that face the beam change it by up to 0.2
FAR, WORSE = 4.0, 1.5  # robust standard deviations; times the usual χ²


@dataclass(frozen=True, eq=False)
class PerTilt:
    """One value an image, as in the series: χ² per pixel, and how far it is above its neighbours.

    The noise is measured on the images alone, so that the fit cannot explain itself. Sharp detail
    counts as noise there, the more the smaller the images: a χ² below one tells nothing.
    """

    sections: tuple[int, ...]
    angles: np.ndarray  # recorded, degrees
    chi2: np.ndarray  # mean squared residual over the variance of the noise
    score: np.ndarray  # robust standard deviations above the median of neighbouring tilts

    @property
    def usual(self) -> float:
        """The median χ²."""
        return float(np.median(self.chi2))

    @property
    def relative(self) -> np.ndarray:
        """χ² over the usual one."""
        return np.asarray(self.chi2 / max(self.usual, 1e-30))

    @property
    def outliers(self) -> np.ndarray:
        """Indices of images that are explained much worse than others like them."""
        return np.flatnonzero((self.score > FAR) & (self.relative > WORSE))


def residuals(result: Reconstruction) -> PerTilt:
    """Project the voxels with the poses found, and compare with the images; one channel."""
    images = result.series.images[0].cpu()
    expected = predicted(result)
    squares = (images - expected).square()
    chi2 = (squares / _variance(images, expected)).mean((1, 2)).double().numpy()
    angles = result.series.angles.cpu().numpy()
    above = above_neighbours(chi2, angles)
    score = above / max(mad(above), LEAST_SPREAD)
    return PerTilt(result.series.sections, angles, chi2, score)


def _variance(images: Tensor, expected: Tensor) -> Tensor:
    """Of noise, and of what a lattice gets wrong where the images are steep."""
    model = LATTICE**2 * steepness(expected) + MODEL_ERROR**2 * images.square().mean()
    variance: Tensor = calibrate(images).variance(expected) + model
    return variance


def steepness(images: Tensor) -> Tensor:
    """The square of the slope at every pixel of (tilts, rows, columns); none along a lone pixel."""
    axes = (axis for axis in (1, 2) if images.shape[axis] > 1)
    slopes = (torch.gradient(images, dim=axis)[0].square() for axis in axes)
    return sum(slopes, torch.zeros_like(images))
