"""A tilt series as a microscope would take it, made without any projector of this package.

The specimen is drawn finer than the detector, every slice is turned about the tilt axis by cubic
splines, summed along the beam, turned and moved in the plane, and only then binned to pixels.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from tomoinr.builtin.phantoms import PHANTOMS
from tomoinr.builtin.solids import Array, Shape, bin_by
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, did_you_mean
from tomoinr.metrics import unseen_removed


@dataclass(frozen=True)
class Acquisition:
    """How a series is taken; rms values are of normal errors, independent in every tilt."""

    angles: tuple[float, ...]  # recorded tilt angles, degrees
    dose: float = math.inf  # mean counts per pixel over all images, background included
    shift: float = 0.0  # rms of dx and of dy, pixels
    rotation: float = 0.0  # rms in-plane rotation about `axis`, degrees
    tilt_error: float = 0.0  # rms of true minus recorded tilt angle, degrees
    axis: float = 0.0  # in-plane rotation common to all images: the tilt axis's azimuth, degrees
    background: float = 0.0  # constant added to every pixel, as a fraction of the mean signal
    gain_drift: float = 0.0  # rms slow change of the signal's gain along the series, relative
    oversample: int = 2  # fine voxels along the side of a pixel

    def __post_init__(self) -> None:
        """Refuse what cannot be taken."""
        if len(self.angles) == 0 or not self.dose > 0 or self.oversample < 1:
            raise TomoinrError("a simulation needs angles, a dose above 0 and an oversample from 1")
        if not all(map(math.isfinite, (*self.angles, self.axis))):
            raise TomoinrError("a simulation's angles and axis must be finite numbers in degrees")
        for name in ("shift", "rotation", "tilt_error", "background", "gain_drift"):
            if not 0 <= getattr(self, name) < math.inf:
                value = getattr(self, name)
                raise TomoinrError(f"a simulation's {name} must be finite and from 0, got {value}")


@dataclass(frozen=True, eq=False)
class Simulated:
    """A tilt series in units of voxel value × pixel, and all that is true about it."""

    phantom: str
    seed: int
    acquisition: Acquisition
    truth: Array  # (y, z, x): means over the pixels' cubes
    images: Array  # (T, rows, columns)
    angles: Array  # recorded tilt (T,), degrees
    tilt: Array  # true tilt (T,), degrees
    phi: Array  # true in-plane rotation (T,), `axis` included, degrees: from x towards y
    dx: Array  # true shift along a row (T,), pixels, after the rotation
    dy: Array  # true shift along a column (T,), pixels, after the rotation
    gain: Array  # factor of each image's signal (T,)
    counts_per_unit: float  # images × this are counts; infinite without noise

    def series(self) -> TiltSeries:
        """What a user would have in hand."""
        images, angles = torch.from_numpy(self.images), torch.from_numpy(self.angles)
        return TiltSeries(images, angles, source="the simulated series")


def simulate(phantom: str, shape: Shape, acquisition: Acquisition, seed: int) -> Simulated:
    """Take a tilt series of a phantom [y, z, x]; the same seed gives the same poses at any dose."""
    if phantom not in PHANTOMS:
        names = ", ".join(sorted(PHANTOMS))
        hint = did_you_mean(phantom, PHANTOMS)
        raise TomoinrError(f"no phantom is called '{phantom}'; there are {names}.{hint}")
    a, count = acquisition, len(acquisition.angles)
    angles = np.array(a.angles, np.float64)
    tilt = angles + a.tilt_error * _stream(seed, "tilt").normal(size=count)
    phi = a.axis + a.rotation * _stream(seed, "rotation").normal(size=count)
    # Less what moving the specimen explains, so that the truth is where it is.
    dx, dy = _stream(seed, "shift").normal(size=(2, count))
    dx, dy = (a.shift * shift for shift in unseen_removed(dx, dy, angles))
    gain = np.exp(a.gain_drift * _wander(_stream(seed, "gain"), count))
    ny, nz, nx = (n * a.oversample for n in shape)
    fine = PHANTOMS[phantom]((ny, nz, nx), seed)
    signal = expose(fine, tilt, phi, dx, dy, a.oversample)
    clean = gain[:, None, None] * signal + a.background * signal.mean()
    images, counts_per_unit = _count(clean, a.dose, _stream(seed, "counts"))
    return Simulated(
        phantom=phantom,
        seed=seed,
        acquisition=acquisition,
        truth=bin_by(fine, a.oversample),
        images=images,
        angles=angles,
        tilt=tilt,
        phi=phi,
        dx=dx,
        dy=dy,
        gain=gain,
        counts_per_unit=counts_per_unit,
    )


def expose(fine: Array, tilt: Array, phi: Array, dx: Array, dy: Array, oversample: int) -> Array:
    """Noiseless images (T, rows, columns) of a volume finer than the pixels; degrees and pixels.

    Nothing outside the box is seen, and what a tilt moves past the sides of the box is lost.
    """
    spline = ndimage.spline_filter1d(fine, 3, axis=1, output=np.float32)
    spline = ndimage.spline_filter1d(spline, 3, axis=2, output=np.float32)
    images = []
    for tilted, turned, *shift in zip(tilt, phi, dy, dx, strict=True):
        image = _move(_project(spline, tilted), turned, oversample * np.array(shift))
        images.append(bin_by(image / oversample, oversample))
    # Splines overshoot at sharp edges, by far less along a whole beam than in a voxel, and both
    # ways: so keep the volume's overshoots, and only the rest that is left in a pixel goes.
    return np.clip(images, 0, None).astype(np.float32)


def _project(spline: Array, tilt: float) -> Array:
    """Turn slices (z, x) of spline coefficients about the tilt axis, then sum along the beam."""
    _, nz, nx = spline.shape
    back = _back(tilt)
    depth = math.ceil(np.abs(back[0]) @ (nz, nx))  # enough for the turned box's whole thickness
    offset = _middle((nz, nx)) - back @ _middle((depth, nx))
    options = {"offset": offset, "output_shape": (depth, nx), "order": 3, "prefilter": False}
    return np.array([ndimage.affine_transform(s, back, **options).sum(axis=0) for s in spline])


def _move(image: Array, phi: float, shift: Array) -> Array:
    """Turn an image from x towards y about its middle, then shift it by (rows, columns)."""
    back, middle = _back(phi), _middle(image.shape)
    offset = middle - back @ (middle + shift)
    moved = ndimage.affine_transform(image, back, offset, order=3, mode="grid-constant")
    return np.asarray(moved)


def _back(degrees: float) -> Array:
    """Where a turned point (w, u) or (row, column) was before: a matrix."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _middle(shape: tuple[int, ...]) -> Array:
    return (np.array(shape) - 1) / 2


def _count(images: Array, dose: float, rng: Generator) -> tuple[Array, float]:
    """Images of Poisson counts in the units of the noiseless ones, and counts per unit."""
    rate = float(dose / images.mean(dtype=np.float64))
    counted = images if math.isinf(dose) else rng.poisson(images * rate) / rate
    return counted.astype(np.float32), rate


def _stream(seed: int, name: str) -> Generator:
    """Random numbers of their own for every purpose, so that no setting changes another's."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _wander(rng: Generator, count: int) -> NDArray[np.float64]:
    """A smooth random curve of `count` values, mean 0 and rms 1 (a single value is 0)."""
    smooth = ndimage.gaussian_filter1d(rng.normal(size=count), max(count / 10, 1))
    smooth -= smooth.mean()
    return np.asarray(smooth / max(smooth.std(), 1e-12))
