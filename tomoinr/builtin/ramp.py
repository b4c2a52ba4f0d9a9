"""The ramp |f| along detector rows: what back-projection forgets to weigh."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor


@cache
def ramp(width: int) -> Tensor:
    """|f| in cycles per pixel for rows of `width` padded to twice that: (frequencies,).

    The transform of the band-limited kernel, not of |f| itself, so that a row's mean survives.
    Kept, since solvers ask at every step: not to be changed in place.
    """
    n = 2 * width
    distance = np.minimum(np.arange(n), n - np.arange(n))
    kernel = np.where(distance % 2, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    return torch.from_numpy(np.fft.rfft(kernel).real.astype(np.float32))


def filter_rows(images: Tensor, response: Tensor) -> Tensor:
    """Multiply each row (last axis) by a response as `ramp` gives it; rows padded with zeros."""
    width = images.shape[-1]
    spectrum = torch.fft.rfft(images, n=2 * width) * response.to(images.device)
    return torch.fft.irfft(spectrum, n=2 * width)[..., :width]
