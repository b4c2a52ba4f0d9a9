"""Which choice predicts images best that it has not seen: volumes, frequencies, pose models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tomoinr.api import reconstruct
from tomoinr.builtin.blur import smooth
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.noise import alike, calibrate, usual_by_tilt
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.spikes import despiked
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem, Projector
from tomoinr.options import NoOptions
from tomoinr.plugins import Plugins
from tomoinr.team import Team
from tomoinr.trust.again import LEVEL
from tomoinr.trust.placing import STILL, motions, moved, placed
from tomoinr.trust.residuals import LATTICE, MODEL_ERROR, steepness

OWN = ("start", "team", "plugins")  # what all choices share
CLEAR = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How one choice predicted the images held out: χ² per pixel, the less the better.

    The noise is measured on the images alone, and is the same for all choices; sharp detail counts
    as noise there, so differences tell more than values. `behind` is the misfit less the best
    choice's; its standard error, from the differences image by image, is the smaller one.
    """

    name: str
    misfit: float
    error: float  # its standard error, from the spread over images
    behind: float
    behind_error: float
    seconds: float  # that the reconstruction took
    each: np.ndarray  # misfit of every image held out, by angle

    @property
    def beaten(self) -> bool:
        """Whether the best choice is better by more than chance would have it."""
        return self.behind > CLEAR * self.behind_error


def held_out(
    series: TiltSeries,
    choices: Mapping[str, Mapping[str, Any]],
    start: Poses | None = None,
    every: int = 8,
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> tuple[HeldOut, ...]:
    """Try choices on the same images and let those left out judge; the best comes first.

    A choice is a name and options of `reconstruct`. Poses are held at `start` (none: recorded
    angles) unless a choice learns them. Then images left out are placed by it too: each band of
    their rows is predicted with the pose that the other bands ask for. What no tilt measures, the
    wedge above all, is not judged.
    """
    plugins, start = plugins or Plugins(), _checked(series, choices, start)
    clean = replace(series, images=despiked(series.images)).to(torch.device("cpu"))
    held = _held(clean, every)
    seen = [i for i in range(len(series.angles)) if i not in held]
    weights, judges, found = _weights(clean)[:, held], clean.select(held), []
    for name, options in choices.items():
        begun = time.perf_counter()
        given: dict[str, Any] = {"poses": "fixed", **options, "start": start.some(seen)}
        result = reconstruct(series.select(seen), **given, plugins=plugins, team=team)
        seconds = time.perf_counter() - begun
        change = motions(start.some(seen), result.poses, series)
        problem = _unseen(result, judges, moved(start.some(held), change, series))
        found.append((name, _misfit(problem, weights, change), seconds))
    return _ranked(found)


def _checked(
    series: TiltSeries, choices: Mapping[str, Mapping[str, Any]], start: Poses | None
) -> Poses:
    """The poses to start from; refuses what cannot be compared, before anything costs time."""
    if series.uneven:
        raise TomoinrError(
            f"held_out: {', '.join(series.uneven)} lack images or are coarser; give one channel, "
            "as series.channel(0)"
        )
    if not choices:
        raise TomoinrError("held_out: no choice to judge; give names and options of reconstruct")
    for name, options in choices.items():
        if shared := [option for option in OWN if option in options]:
            raise TomoinrError(f"held_out: '{name}' names {shared[0]}; give it for all choices")
    if start is not None and len(start.shift) != len(series.angles):
        raise TomoinrError(
            f"held_out: {len(start.shift)} poses to start from, but {len(series.angles)} images"
        )
    start = (start or Poses.of(series.angles)).to("cpu")
    return Poses(start.rotation.float(), start.shift.float())


def _held(series: TiltSeries, every: int) -> list[int]:
    """One image in `every` by angle, never the first or the last, none unlike the others."""
    order = usual_by_tilt(series).tolist()
    last = len(order) - 1
    count = last // every if every > 1 else 0
    if count < 2:
        raise TomoinrError(
            f"{series.source}: one image in {every} of {len(order)} leaves fewer than two to judge "
            f"by; hold out more ('every' from 2 to {max(2, last // 2)})"
        )
    first = (last - (count - 1) * every + 1) // 2
    return order[first : first + count * every : every]


def _weights(series: TiltSeries) -> Tensor:
    """Inverse variances (channels, tilts, rows, columns): noise, and edges that voxels blur."""
    good, found = alike(series.images), []
    for images in series.images:
        level = smooth(images)
        noise = calibrate(images[good]).variance(level)
        unshown = LATTICE**2 * steepness(level) + MODEL_ERROR**2 * images[good].square().mean()
        found.append(1 / (noise + unshown))
    return torch.stack(found)


def _unseen(result: Reconstruction, series: TiltSeries, start: Poses) -> Problem:
    """The voxels found, and images that they were not made from."""
    volume = Voxels(Voxels.Options(), result.grid, len(series.channels)).requires_grad_(False)
    volume.values.copy_(torch.as_tensor(result.voxels).view_as(volume.values))
    projector: Projector = Slices(Slices.Options(warp="bicubic"), result.grid)
    if bool((start.rotation[:, 2, 1].abs() > LEVEL).any()):
        projector = Quadrature(Quadrature.Options(), result.grid)
    poses = Fixed(NoOptions(), start, result.grid)
    return Problem(series, result.grid, volume, poses, projector)


def _misfit(problem: Problem, weights: Tensor, change: Tensor) -> np.ndarray:
    """χ² per pixel of every image, at its own brightness; placed if `change` says others were."""
    images, still = problem.series.images, bool((change.abs() <= STILL).all())
    with torch.no_grad():
        expected = problem.predict() if still else placed(problem, weights, change)
        power = (weights * expected.square()).sum((2, 3), keepdim=True).clamp(min=1e-30)
        gain = (weights * expected * images).sum((2, 3), keepdim=True) / power
        chi2 = weights * (images - gain * expected).square()
    return chi2.mean((0, 2, 3)).double().numpy()


def _ranked(found: list[tuple[str, np.ndarray, float]]) -> tuple[HeldOut, ...]:
    """The best first, the others beside it."""
    ordered = sorted(found, key=lambda choice: choice[1].mean())
    best = ordered[0][1]
    return tuple(
        HeldOut(name, *_mean(each), *_mean(each - best), seconds, each)
        for name, each, seconds in ordered
    )


def _mean(values: np.ndarray) -> tuple[float, float]:
    """The mean, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
