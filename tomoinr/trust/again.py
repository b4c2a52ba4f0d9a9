"""The same recipe once more, poses held: on some of the images, or on others in their place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tomoinr.api import reconstruct
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses, place
from tomoinr.interfaces import Projector
from tomoinr.plugins import Plugins
from tomoinr.recipe import Quality
from tomoinr.team import Team

PARTS = ("volume", "projector", "solver")
EXTREME, LARGEST = 30, 126  # powers of two: beyond it squares suffer; of 32-bit numbers
LEVEL = 1e-6  # of a ray along the tilt axis: above it, the axis has left the detector plane


def one_channel(result: Reconstruction, channel: int = 0) -> Reconstruction:
    """The result of one of its channels: voxels [y, z, x], images [1, tilt, row, column]."""
    series, voxels = result.series, result.voxels
    if not 0 <= channel < len(series.channels):
        raise TomoinrError(f"no channel {channel}; there are {len(series.channels)}, from 0")
    voxels = voxels if voxels.ndim == 3 else voxels[channel]
    one = replace(result, series=series.channel(channel), voxels=voxels)
    views, factor = series.views_of(channel), series.coarser(channel)
    if len(views) < len(series.angles):
        one = replace(one, poses=result.poses.some(views))
    return one if factor == 1 else _binned(one, factor)


def _binned(result: Reconstruction, factor: int) -> Reconstruction:
    """On voxels as large as the images' pixels, whatever is left over at far ends cut off."""
    shape = tuple(n // factor for n in result.voxels.shape)
    y, z, x = (factor * n for n in shape)
    blocks = result.voxels[:y, :z, :x].reshape([k for n in shape for k in (n, factor)])
    spacing = result.grid.spacing * factor
    cx, cy, cz = result.grid.centre
    off = (result.voxels.shape[1] - z) * result.grid.spacing / 2
    grid = Grid((shape[0], shape[1], shape[2]), spacing, (cx, cy, cz - off))
    return replace(result, voxels=blocks.mean((1, 3, 5)), grid=grid)


def moderate(result: Reconstruction) -> tuple[Reconstruction, float]:
    """The result in units in which squares of its numbers can be told, and what it times by."""
    low, high = map(float, result.series.images.aminmax())
    exponent = -round(math.log2(max(-low, high)))
    if abs(exponent) < EXTREME:
        return result, 1.0
    factor = 2.0 ** max(-LARGEST, min(exponent, LARGEST))  # a power of two rounds nothing
    scaled = replace(result, series=result.series.scaled(factor), voxels=result.voxels * factor)
    return scaled, factor


def with_views(result: Reconstruction, views: Sequence[int]) -> Reconstruction:
    """The result with some of its images, and their poses."""
    index = torch.as_tensor(views)
    return replace(result, series=result.series.select(views), poses=result.poses.some(index))


def with_images(result: Reconstruction, images: Tensor) -> Reconstruction:
    """The result with other images (tilts, rows, columns) in the place of its own."""
    return replace(result, series=replace(result.series, images=images[None]))


def again(
    result: Reconstruction,
    quality: Quality | None = None,
    seed: int | None = None,
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> np.ndarray:
    """Voxels [y, z, x] of the same recipe on the result's images, with its poses.

    `quality`: the same parts with that quality's presets in place of their options, and no more
    steps than before.
    """
    run, plugins = result.recipe.get("run", {}), plugins or Plugins()
    volume = reconstruct(
        result.series,
        **_parts(result.recipe, quality is None),
        poses="fixed",
        start=result.poses,
        steps=_steps(result.recipe["solver"], quality, plugins) if quality else None,
        quality=quality or run.get("quality", "default"),
        depth=result.grid.shape[1],
        seed=int(run.get("seed", 0)) if seed is None else seed,
        team=team,
        plugins=plugins,
    )
    return volume.voxels


def _parts(recipe: Mapping[str, Any], with_options: bool) -> dict[str, Any]:
    """The parts of a resolved recipe, as `reconstruct` takes them."""
    missing = [kind for kind in PARTS if kind not in recipe]
    if missing:
        raise TomoinrError(
            f"the result's recipe names no {' and no '.join(missing)}, so it cannot be run again; "
            "give parts by name, not as objects"
        )

    def told(part: Any) -> Any:
        return part if with_options else part["name"]

    parts = {kind: told(recipe[kind]) for kind in PARTS}
    return parts | {"priors": [told(prior) for prior in recipe.get("prior", ())]}


def _steps(solver: Mapping[str, Any], quality: Quality, plugins: Plugins) -> int | None:
    """Of the quality's preset, but no more than the recipe's own; none: as the solver likes."""
    own = solver.get("steps")
    preset = plugins.find("solver", solver["name"]).cls.presets.get(quality, {}).get("steps", own)
    return min(own, preset) if own else None


def predicted(result: Reconstruction) -> Tensor:
    """What the images should show, if voxels and poses are right: (tilts, rows, columns)."""
    volume = Voxels(Voxels.Options(), result.grid)
    poses = Poses(result.poses.rotation.float(), result.poses.shift.float())
    views = place(poses, result.series.shape, result.series.pixel_size)
    projector: Projector = Slices(Slices.Options(warp="bicubic"), result.grid)
    if bool((views.ray[:, 1].abs() > LEVEL).any()):
        projector = Quadrature(Quadrature.Options(), result.grid)
    with torch.no_grad():
        volume.values.copy_(torch.as_tensor(result.voxels))
        return projector.project(volume, views)[0]
