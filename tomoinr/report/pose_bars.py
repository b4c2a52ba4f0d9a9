"""How well each pose is known: standard errors from the normal equations of its own image.

The volume is held as it is and noise is taken as independent from pixel to pixel, so these are
lower bounds. Some detector rows stand for all.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Reconstruction
from tomoinr.geometry import Pixels, Poses, place
from tomoinr.interfaces import Projector
from tomoinr.trust.again import LEVEL

ROWS = 32
STEP = 0.25  # pixels to either side: far above rounding, within a cell of the interpolation
LEARNED = 1e-4  # degrees: smaller spreads are rounding


def free(result: Reconstruction) -> tuple[str, ...]:
    """What was learned of each image, as far as the poses tell."""
    angles = result.poses.angles()
    turned = angles.rotation - angles.rotation.median()
    tilted = angles.tilt - result.series.angles.to(angles.tilt)
    names: tuple[str, ...] = ("dx", "dy")
    names += ("rotation",) if float(turned.abs().max()) > LEARNED else ()
    return names + (("tilt",) if float((tilted - tilted.mean()).abs().max()) > LEARNED else ())


@torch.no_grad()
def bars(result: Reconstruction, variance: np.ndarray) -> dict[str, list[float | None]]:
    """Standard errors by name, pixels and degrees; `variance` (channels, tilts) of residuals."""
    names, width = free(result), result.series.shape[2]
    pixels = Pixels.rows(result.series.shape, _some(result.series.shape[1]))
    turn = math.degrees(2 / width)  # moves the end of a row by a pixel
    units = {"dx": 1.0, "dy": 1.0, "rotation": turn, "tilt": turn}
    camera = _Camera(result)
    slopes = torch.stack([camera.slope(name, STEP * units[name], pixels) for name in names])
    weighed = slopes / torch.from_numpy(variance)[None, :, :, None].clamp(min=1e-30)
    normal = torch.einsum("ictp,jctp->tij", weighed, slopes)
    normal *= result.series.shape[1] / pixels.shape[1]
    sizes = torch.tensor([units[name] for name in names])
    errors = torch.linalg.pinv(normal, hermitian=True).diagonal(dim1=1, dim2=2).sqrt() * sizes
    known = normal.diagonal(dim1=1, dim2=2) > 0
    return {
        name: [float(e) if k else None for e, k in zip(error, there, strict=True)]
        for name, error, there in zip(names, errors.T, known.T, strict=True)
    }


def _some(rows: int) -> Tensor:
    """Rows that stand for all, the middles of equal strips."""
    count = min(rows, ROWS)
    return ((torch.arange(count) + 0.5) * rows / count).long()


class _Camera:
    """Images of a result's volume under other poses; matrices are kept from one to the next."""

    def __init__(self, result: Reconstruction) -> None:
        self._result = result
        self._volume = Voxels(Voxels.Options(), result.grid, len(result.series.images))
        self._volume.values.data = torch.as_tensor(result.voxels).view_as(self._volume.values)
        # Bilinear, for differences across a pixel: torch's bicubic has slopes that are too steep.
        self._projector: Projector = Slices(Slices.Options(), result.grid)
        if bool((result.poses.rotation[:, 2, 1].abs() > LEVEL).any()):
            self._projector = Quadrature(Quadrature.Options(), result.grid)

    def slope(self, name: str, step: float, pixels: Pixels) -> Tensor:
        """Change of the images (channels, tilts, pixels) per pixel of one motion."""
        size = self._result.series.pixel_size
        step *= size if name in ("dx", "dy") else 1
        motion = {"dx": 0.0, "dy": 0.0, "rotation": 0.0} | {name: step}
        back = {key: -value for key, value in motion.items()}
        ahead, behind = (
            self._seen(self._result.poses.moved(**way), pixels) for way in (motion, back)
        )
        return (ahead - behind).flatten(2).double() / (2 * STEP)

    def _seen(self, poses: Poses, pixels: Pixels) -> Tensor:
        poses = Poses(poses.rotation.float(), poses.shift.float())
        views = place(poses, self._result.series.shape, self._result.series.pixel_size)
        return self._projector.project(self._volume, views, pixels)
