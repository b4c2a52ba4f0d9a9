"""What the images cannot tell: corrections that a motion of the whole specimen would undo.

Moving the specimen by t moves image i by the first two rows of R_i t: along x as cos α and
sin α, along y by a constant. Corrections lose such modes before they are used, so that pose and
volume cannot drift together, and the nominal poses stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tomoinr.geometry import Poses


def span(modes: Tensor) -> Tensor:
    """An orthonormal basis (n, rank) of the columns of `modes` (n, k)."""
    # Singular values, not QR: two images, or repeated angles, make modes coincide.
    left, size, _ = torch.linalg.svd(modes.double(), full_matrices=False)
    return left[:, size > 1e-6 * size.max()].to(modes.dtype)


def without(values: Tensor, basis: Tensor) -> Tensor:
    """`values` (n, ...) less their part in the span of an orthonormal basis (n, k)."""
    return values - basis @ (basis.mT @ values)


def translations(nominal: Poses) -> Tensor:
    """Shifts (2T, 3) that equal moving the specimen along x, y and z, as x₀, y₀, x₁, y₁, …"""
    return nominal.rotation[:, :2].reshape(-1, 3)


class Shifts(nn.Module):
    """Nominal shifts, and corrections less the modes (2T, k) that they must not hold."""

    nominal: Tensor
    modes: Tensor

    def __init__(self, nominal: Poses, spacing: float, modes: Tensor) -> None:
        super().__init__()
        self._spacing = spacing
        self.register_buffer("nominal", nominal.shift.detach().clone())
        self.register_buffer("modes", span(modes))

    def forward(self, pixels: Tensor) -> Tensor:
        """Corrections (T, 2) in pixels → shifts (T, 2) in Å."""
        real = without(pixels.reshape(-1), self.modes).view_as(pixels)
        return self.nominal + self._spacing * real
