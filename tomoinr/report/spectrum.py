"""The power spectrum of a volume across the tilt axis, and where no tilt measured it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import fft

SLICES = 64  # whose power is averaged
DEEPEST = 120.0  # dB below the largest that are told apart
DARK = 1.0  # percent of the frequencies that may be black


class Spectrum(NamedTuple):
    """Power in dB below its largest value, [kz, kx], zero frequency at index n // 2."""

    power: np.ndarray
    kz: tuple[float, float]  # the outer edges, cycles per voxel
    kx: tuple[float, float]


def spectrum(voxels: np.ndarray) -> Spectrum:
    """The mean over some slices [y, z, x] of what two sines (Hann's window) let through."""
    count, depth, width = voxels.shape
    some = np.unique(np.linspace(0, count - 1, min(count, SLICES)).round().astype(int))
    window = np.outer(_hann(depth), _hann(width)).astype(np.float32)
    power = np.zeros((depth, width))
    for index in some:
        piece = voxels[index] - voxels[index].mean()
        power += np.square(np.abs(fft.fft2(piece * window)))
    power = fft.fftshift(power)
    level = 10 * np.log10(np.maximum(power / max(power.max(), 1e-300), 10 ** (-DEEPEST / 10)))
    return Spectrum(level, _edges(depth), _edges(width))


def depth(spectra: Iterable[Spectrum]) -> float:
    """The whole tens of dB below the largest at which pictures of all these are to be black."""
    dark = min(float(np.percentile(found.power, DARK)) for found in spectra)
    return max(10.0, 10 * math.ceil(-dark / 10))


def wedge(tilts: list[float]) -> tuple[float, float]:
    """Directions (degrees from kx towards kz) of the first and the last view's frequencies.

    A view at θ measures kx sin θ + kz cos θ = 0: a line along (cos θ, −sin θ).
    """
    return -min(tilts), -max(tilts)


def _edges(n: int) -> tuple[float, float]:
    return (-0.5 - n // 2) / n, (n - 0.5 - n // 2) / n


def _hann(n: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
