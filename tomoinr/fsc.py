"""How alike two volumes are at every level of detail, apart where views measured and in the wedge.

The views leave a wedge of frequencies untouched. What a reconstruction has there it made up, so a
correlation over all frequencies together says little about either part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft

from tomoinr.errors import TomoinrError


class Fsc(NamedTuple):
    """Fourier shell correlation by frequency (cycles per voxel); NaN where a shell is empty.

    `measured`: within half a pixel of some view's central slice; `wedge`: outside the tilt range.
    Between coarse tilts there are frequencies that are neither. Tilts unknown: all are `measured`.
    """

    frequency: np.ndarray
    measured: np.ndarray
    wedge: np.ndarray

    def means(self, fraction: float = 1.0) -> tuple[float, float]:
        """Mean over the shells up to a fraction of Nyquist: (measured, wedge)."""
        some = self.frequency <= fraction / 2 + 1e-9
        kept = (curve[some & np.isfinite(curve)] for curve in (self.measured, self.wedge))
        measured, wedge = (float(c.mean()) if len(c) else float("nan") for c in kept)
        return measured, wedge


def fsc(first: np.ndarray, second: np.ndarray, tilts: np.ndarray | None) -> Fsc:
    """Compare two [y, z, x] volumes of one specimen seen at these tilts (degrees)."""
    if first.shape != second.shape:
        raise TomoinrError(f"volumes of {first.shape} and {second.shape} voxels have no shells")
    one, other = (fft.rfftn(np.asarray(v, np.float32)) for v in (first, second))
    ky, kz, kx = np.ix_(*(fft.fftfreq(n) for n in first.shape))
    kx = np.abs(kx[..., : one.shape[2]])
    shell = np.rint(np.sqrt(kx**2 + ky**2 + kz**2) * max(first.shape)).astype(int)
    # Half the frequencies stand for both halves, but the planes that are their own mirror image.
    twice = np.where((kx == 0) | (kx == 0.5), 1, 2)
    products = [twice * p for p in ((one * other.conj()).real, abs(one) ** 2, abs(other) ** 2)]
    last = max(first.shape) // 2
    curves = [_curve(shell, products, region, last) for region in regions(kz[0], kx[0], tilts)]
    return Fsc(np.arange(1, last + 1) / max(first.shape), *curves)


def regions(
    kz: np.ndarray, kx: np.ndarray, tilts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which frequencies (z, x) some view measured, and which lie in the missing wedge."""
    if tilts is None:
        every = np.ones(np.broadcast_shapes(kz.shape, kx.shape), bool)
        return every, ~every
    half = 0.5 / max(len(kz), 2 * (kx.shape[1] - 1))
    measured = np.zeros(np.broadcast_shapes(kz.shape, kx.shape), bool)
    for angle in np.deg2rad(tilts):
        measured |= np.abs(kx * np.sin(angle) + kz * np.cos(angle)) <= half
    within = np.rad2deg(np.arctan2(-kz, kx)) - np.min(tilts)
    return measured, ~measured & (within % 180 > np.ptp(tilts))


def _curve(
    shell: np.ndarray, products: list[np.ndarray], region: np.ndarray, last: int
) -> np.ndarray:
    """The correlation in the shells from 1 to `last`, in one region (z, x) of all rows."""
    inside = np.broadcast_to(region, shell.shape)
    sums = [np.bincount(shell[inside], p[inside], last + 1)[1 : last + 1] for p in products]
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[0] / np.sqrt(sums[1] * sums[2]))
