"""How good a result is, against a truth; how far poses are off, whatever cannot be seen removed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses

WINDOW = 11  # voxels: what a Gaussian of 1.5 takes


class Score(NamedTuple):
    """Structural similarity (1: equal) and peak signal-to-noise ratio (dB)."""

    ssim: float
    psnr: float


def score(voxels: np.ndarray, truth: np.ndarray) -> Score:
    """Compare [y, z, x] volumes after the best gain and offset; SSIM is a mean over slices."""
    if voxels.shape != truth.shape:
        raise TomoinrError(f"volumes of {voxels.shape} and {truth.shape} voxels cannot be compared")
    if min(truth.shape[1:]) < WINDOW:
        raise TomoinrError(
            f"slices of {truth.shape[1]} × {truth.shape[2]} voxels cannot be compared; SSIM's "
            f"window needs {WINDOW} × {WINDOW}"
        )
    span = float(np.ptp(truth))
    if span == 0:
        raise TomoinrError("the truth is the same everywhere; nothing can be compared with it")
    fitted = _fitted(voxels.astype(np.float64), truth.astype(np.float64))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = [
        structural_similarity(a, b, data_range=span, **window)
        for a, b in zip(fitted, truth.astype(np.float64), strict=True)
    ]
    error = float(np.square(fitted - truth).mean())
    return Score(float(np.mean(similarity)), float(10 * np.log10(span**2 / max(error, 1e-30))))


class PoseErrors(NamedTuple):
    """Root-mean-square errors: pixels, pixels, degrees."""

    dx: float
    dy: float
    rotation: float


def pose_errors(
    found: Poses, dx: np.ndarray, dy: np.ndarray, rotation: np.ndarray, tilts: np.ndarray
) -> PoseErrors:
    """Of poses in pixels of 1 Å, against true shifts and rotations (pixels, degrees).

    Less what moving the volume explains; tilts in degrees.
    """
    angles = found.angles()
    shifts = unseen_removed(np.asarray(angles.dx) - dx, np.asarray(angles.dy) - dy, tilts)
    errors = (*shifts, np.asarray(angles.rotation) - rotation)
    return PoseErrors(*(float(np.sqrt(np.square(e).mean())) for e in errors))


def unseen_removed(
    dx: np.ndarray, dy: np.ndarray, tilts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (T,) less what moving the volume explains; tilts in degrees.

    A volume moved by (x, y, z) shifts image t by (x cos θ - z sin θ, y): no data tell that from
    shifts of the images.
    """
    angle = np.deg2rad(tilts)
    move = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return dx - move @ np.linalg.lstsq(move, dx, rcond=None)[0], dy - dy.mean()


def _fitted(voxels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Least-squares gain and offset: contrast and background are not what is judged."""
    a, b = voxels - voxels.mean(), truth - truth.mean()
    gain = (a * b).sum() / max((a * a).sum(), 1e-30)
    return gain * a + truth.mean()
