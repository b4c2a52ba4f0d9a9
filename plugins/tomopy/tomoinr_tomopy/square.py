"""TomoPy's total variation, which takes neighbours in memory for neighbours in space.

That is true on square slices alone, so others are set into a square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from tomoinr_tomopy.recon import Axis, improve


def in_a_square(
    algorithm: str,
    images: Tensor,
    voxels: Tensor,
    axis: Axis,
    pixel: float,
    arguments: Mapping[str, Any],
) -> None:
    """Images [view, row, column] → voxels [row, z, x], in place; z and x differ by an even size."""
    _, depth, width = voxels.shape
    above, beside = ((max(depth, width) - size) // 2 for size in (depth, width))
    square = functional.pad(voxels, (beside, beside, above, above))
    improve(algorithm, images, square, axis, pixel, arguments)
    voxels.copy_(square[:, above : above + depth, beside : beside + width])
