"""How much there is where nothing was measured."""

from __future__ import annotations

import numpy as np
from scipy import fft

from tomoinr.fsc import regions

FIRST = 2  # shell: the regions of the first are a few voxels


def filled(voxels: np.ndarray, tilts: np.ndarray) -> float:
    """Power in the wedge over power at measured frequencies as fine; NaN if there is no wedge.

    A geometric mean over shells up to half of Nyquist, [y, z, x] and degrees. About one where
    the wedge is filled, unless the specimen is flat or drawn out.
    """
    power = np.square(np.abs(fft.rfftn(np.asarray(voxels, np.float32))))
    ky, kz, kx = np.ix_(*(fft.fftfreq(n) for n in voxels.shape))
    kx = np.abs(kx[..., : power.shape[2]])
    size = max(voxels.shape)
    shell = np.rint(np.sqrt(kx**2 + ky**2 + kz**2) * size).astype(int)
    shells = slice(FIRST, size // 4 + 1)
    measured, wedge = (_mean(power, shell, r)[shells] for r in regions(kz[0], kx[0], tilts))
    some = np.isfinite(measured) & np.isfinite(wedge) & (measured > 0)
    ratio = np.log(np.maximum(wedge[some] / measured[some], 1e-12))
    return float(np.exp(ratio.mean())) if some.any() else float("nan")


def _mean(power: np.ndarray, shell: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The mean power of each shell in a region (z, x) of all rows; NaN where it has none."""
    inside = np.broadcast_to(region, shell.shape)
    count = int(shell.max()) + 1
    total = np.bincount(shell[inside], power[inside], count)
    number = np.bincount(shell[inside], minlength=count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
