"""How much each of several channels counts in one loss, and which images it has."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.builtin.noise import MODEL_ERROR, calibrate
from tomoinr.data import Channel, TiltSeries
from tomoinr.errors import TomoinrError


def shares(series: TiltSeries) -> Tensor | None:
    """Weights (channels, tilts) of a mean square, zero where there is no image; none: all alike.

    They fall with a channel's noise, not with its square: then one weight of a prior suits all.
    """
    names = series.channels
    if len(names) == 1:
        return None
    if coarse := [name for i, name in enumerate(names) if series.coarser(i) > 1]:
        raise TomoinrError(
            f"joint takes channels in pixels of one size, and {', '.join(coarse)} are coarser: bin "
            "the others (prepare 'bin'), or use the solver 'fused'"
        )
    recorded = series.recorded or tuple(Channel(name) for name in names)
    weights = torch.zeros(len(names), len(series.angles))
    for i, channel in enumerate(recorded):
        weights[i, series.views_of(i)] = channel.weight / _error(series.channel(i).images[0])
    return (weights / weights.max()).to(series.images.device)


def _error(images: Tensor) -> float:
    """The usual pixel's standard error, and what no lattice can show."""
    noise = calibrate(images)
    variance = noise.gain * max(float(images.mean()), 0.0) + noise.floor
    return float(variance + MODEL_ERROR**2 * float(images.square().mean()) + 1e-30) ** 0.5
