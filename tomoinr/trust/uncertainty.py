"""How far each voxel may be off: the recipe is tried on data like these whose truth is known.

The volume found serves as the truth: its own images, with noise drawn anew, go through the same
recipe with the same poses. How far these members scatter is the effect of noise; how far their
mean is from what they should have found is the effect of the recipe (edges rounded, detail lost).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from tomoinr.builtin.noise import calibrate
from tomoinr.data import Reconstruction
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError
from tomoinr.plugins import Plugins
from tomoinr.recipe import Quality
from tomoinr.team import Team
from tomoinr.trust.again import again, predicted, with_images
from tomoinr.trust.halves import Halves, halves

UNSEEN = (
    "the error of noise and of rounding edges; what the missing wedge hides, wrong poses, and "
    "what voxels cannot show are not in it"
)
WIDTH = 0.7  # voxels: few members tell little of a single voxel's scatter, neighbours tell more


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Expected error of every voxel (one standard deviation), in the volume's units."""

    voxels: np.ndarray  # [y, z, x]
    members: int
    factor: float  # what makes the members' scatter agree with how far two halves disagree


def uncertainty(
    result: Reconstruction,
    members: int = 4,
    quality: Quality | None = None,
    compared: Halves | None = None,
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> Uncertainty:
    """An ensemble of reconstructions, poses held; one channel.

    `compared`: halves of the same quality, made here if there are none.
    """
    if members < 2:
        raise TomoinrError(f"an uncertainty needs at least two members, got {members}")
    compared = compared or halves(result, quality, plugins, team)
    voxels = result.voxels if quality is None else again(result, quality, None, plugins, team)
    centre = replace(result, voxels=voxels)
    drawn = []
    for seed, images in enumerate(_drawn(centre, members), start=1):
        with doing(f"trust: reconstructing member {seed} of {members}, for the uncertainty"):
            drawn.append(again(with_images(centre, images), quality, seed, plugins, team))
    found = np.stack(drawn)
    scatter = found.var(axis=0, ddof=1)
    factor = float(np.sqrt(np.square(compared.error).mean() / max(scatter.mean(), 1e-30)))
    lost = voxels - found.mean(axis=0)
    total = ndimage.gaussian_filter(factor**2 * scatter + lost**2, WIDTH)
    return Uncertainty(np.sqrt(total, dtype=np.float32), members, factor)


def _drawn(centre: Reconstruction, members: int) -> list[Tensor]:
    """Images (tilts, rows, columns) of the volume found, with the noise of those measured."""
    expected = predicted(centre)
    error = calibrate(centre.series.images[0].cpu(), expected).variance(expected).sqrt()
    drawn = []
    for member in range(members):
        generator = torch.Generator().manual_seed(member)
        drawn.append(expected + error * torch.randn(error.shape, generator=generator))
    return drawn
