"""How fine the detail is that images show, and the frequency of a SIREN that suits it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid

USUAL = 15.0  # for one cycle per half box, and where the images do not tell
# What did best over specimens (benchmarks/RESULTS.md); of smaller steps chance decides.
POWER, STEPS = 0.75, (12.0, USUAL, 19.0, 24.0, 30.0)


def suitable(fineness: float) -> float:
    """The first layer's ω, one of a few, for images of this fineness."""
    wanted = USUAL * fineness**POWER if 0 < fineness < math.inf else USUAL
    return min(STEPS, key=lambda step: abs(math.log(step / wanted)))


def fineness(series: TiltSeries, grid: Grid) -> float:
    """Mean frequency of the images, in cycles per half of the box's longest edge."""
    return mean_frequency(series.images) * max(grid.extent) / (2 * series.pixel_size)


def mean_frequency(images: Tensor) -> float:
    """Of the power of images (…, rows, columns) above the noise, cycles a pixel; NaN if unknown.

    White noise shows in full in the corners of Fourier space, and specimens hardly do. Each
    image's mean is taken off, so that a background does not count, and its edges fade, so that
    the borders of a specimen that goes on beyond them do not.
    """
    rows, columns = images.shape[-2:]
    fade = _fade(rows)[:, None] * _fade(columns)
    power = torch.zeros(rows, columns, dtype=torch.float64)
    for image in images.reshape(-1, rows, columns).cpu():  # all at once would take much memory
        power += torch.fft.fft2((image - image.mean()) * fade).abs().square()
    frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.fftfreq(columns))
    seen = frequency <= 0.5
    signal = (power - power[~seen].mean()) * seen
    return float((frequency * signal).sum() / signal.sum())


def _fade(pixels: int) -> Tensor:
    """Hann's window, nowhere zero."""
    return torch.hann_window(pixels + 2, periodic=False)[1:-1]
