"""What the strongest signal tells the others: where its edges run, and how much matter there is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from tomoinr.builtin.edges import gradient

FAINT = 0.01  # of the guide's bright voxels: steps above it count as edges
BRIGHT = 0.99  # quantile of the voxels that show anything
POWERS = (1.0, 1.2, 1.4, 1.7, 2.0)
CONVINCED = 0.9  # times the misfit of a plain sum: a power that leaves less is believed
SAMPLE = 200_000  # voxels that a mixture is fitted to


class Mixture(NamedTuple):
    """guide = (Σ part × channel)^power, densities of both in units of their bright voxels."""

    parts: Tensor  # (channels,), none below zero
    power: float
    misfit: float  # rms, over the guide's rms

    def target(self, guide: Tensor) -> Tensor:
        """What Σ part × channel is to be, for a guide (1, y, z, x)."""
        return relative(guide) ** (1 / self.power)


def relative(guide: Tensor) -> Tensor:
    """A volume (1, y, z, x), never negative, whose bright voxels are one."""
    guide = guide.clamp(min=0)
    shown = guide[guide > FAINT * guide.max()]
    if not len(shown):  # nothing yet, as after very few steps
        return guide
    shown = shown[:: max(1, len(shown) // 1_000_000)]
    return guide / torch.quantile(shown, BRIGHT).clamp(min=1e-30)


def normals(guide: Tensor) -> Tensor:
    """The guide's direction of steepest change (3, 1, y, z, x), shorter where it is flat."""
    slopes = gradient(relative(guide))
    return slopes / (slopes.square().sum(0, keepdim=True) + FAINT**2).sqrt()


def along(edges: Tensor, normals: Tensor | None) -> Tensor:
    """Slopes (3, channels, y, z, x) less what runs across the guide's edges, which costs nothing.

    An edge of the guide invites one of a channel and makes none; the transpose is the same.
    """
    if normals is None:
        return edges
    return edges - (normals * edges).sum(0, keepdim=True) * normals


def mixture(guide: Tensor, channels: Tensor, power: float = 0.0) -> Mixture:
    """Fit a guide (1, y, z, x) by what channels (C, y, z, x) show; power 0: found as well."""
    target = relative(guide).flatten()
    step = max(1, len(target) // SAMPLE)
    h = target[::step].double().cpu().numpy()
    x = channels.flatten(1)[:, ::step].double().cpu().numpy().T
    found = [_fitted(h, x, p) for p in ((power,) if power else POWERS)]
    plain, best = found[0], min(found, key=lambda one: one.misfit)
    return best if best.misfit < CONVINCED * plain.misfit else plain


def _fitted(h: np.ndarray, x: np.ndarray, power: float) -> Mixture:
    parts, _ = nnls(x, h ** (1 / power))
    misfit = np.linalg.norm(h - (x @ parts) ** power) / (np.linalg.norm(h) + 1e-30)
    return Mixture(torch.tensor(parts, dtype=torch.float32), power, float(misfit))
