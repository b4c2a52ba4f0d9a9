"""How well each pose is known: error bars from the normal equations of its own image.

The volume is held as it is and noise is taken as independent from pixel to pixel, so these are
lower bounds: what the volume has learnt from wrong poses does not show in them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tomoinr.geometry import Pixels, place
from tomoinr.interfaces import Problem
from tomoinr_poses.units import degrees_per_pixel

STEP = 0.25  # pixels to either side: far above rounding, within a cell of most interpolations
ROWS = 64  # evaluated at a time, which bounds memory


class PoseErrors(NamedTuple):
    """Standard errors (T,) of dx and dy in pixels and of the in-plane rotation in degrees.

    `covariance` (T,3,3) is of (dx, dy, rotation); infinite where an image does not tell.
    """

    dx: Tensor
    dy: Tensor
    rotation: Tensor
    covariance: Tensor


@torch.no_grad()
def errors(problem: Problem) -> PoseErrors:
    """Error bars of the poses now believed; the noise is each image's own residual."""
    channels, tilts, rows, columns = problem.series.images.shape
    squares = torch.zeros(channels, tilts, dtype=torch.float64, device=problem.series.images.device)
    normal = squares.new_zeros(channels, tilts, 3, 3)
    for strip in torch.arange(rows, device=squares.device).split(ROWS):
        pixels = Pixels.rows(problem.series.shape, strip)
        residual = problem.predict(pixels) - problem.series.at(pixels)
        squares += residual.double().square().sum((2, 3))
        slopes = _slopes(problem, pixels).flatten(3).double()
        normal += torch.einsum("ictp,jctp->ctij", slopes, slopes)
    # An exact fit has no error, not none that can be told: hence tiny, not zero.
    variance = (squares / (rows * columns - 3)).clamp(min=1e-30)
    covariance = _inverse((normal / variance[..., None, None]).sum(0))
    dx, dy, rotation = covariance.diagonal(dim1=1, dim2=2).sqrt().T
    return PoseErrors(dx, dy, rotation, covariance)


def _slopes(problem: Problem, pixels: Pixels) -> Tensor:
    """Change of the images (3, channels, T, rows, columns) per pixel of dx, dy and per degree."""
    turn = STEP * degrees_per_pixel(problem.grid)
    steps = torch.diag(torch.tensor([STEP, STEP, turn]))
    differences = [_moved(problem, step, pixels) - _moved(problem, -step, pixels) for step in steps]
    sizes = (2 * STEP, 2 * STEP, 2 * turn)
    return torch.stack([d / size for d, size in zip(differences, sizes, strict=True)])


def _moved(problem: Problem, step: Tensor, pixels: Pixels) -> Tensor:
    """The images after one step (pixels, pixels, degrees) of every pose."""
    size = problem.series.pixel_size
    dx, dy, degrees = step.tolist()
    moved = problem.poses().moved(dx * size, dy * size, degrees)
    views = place(moved, problem.series.shape, size)
    return problem.projector.project(problem.volume, views, pixels)


def _inverse(normal: Tensor) -> Tensor:
    """Inverses (T,3,3) of symmetric matrices; infinite where there is none."""
    root, failed = torch.linalg.cholesky_ex(normal)
    none = (failed != 0)[:, None, None]
    inverse = torch.cholesky_inverse(torch.where(none, torch.eye(3).to(root), root))
    return inverse.masked_fill(none, torch.inf)
