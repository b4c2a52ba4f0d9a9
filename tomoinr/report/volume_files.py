"""The volume in a result's folder, and the images that it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.io import describe, open_stack, read_poses, take
from tomoinr.io.collecting import collect
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe, build

NAME = "volume"


def read_volume(
    folder: Path, recipe: Mapping[str, Any], plugins: Plugins | None = None
) -> tuple[np.ndarray, Grid, tuple[str, ...]]:
    """Voxels (channels, y, z, x) of volume.mrc, or of one file a channel; names of channels."""
    files = sorted(folder.glob(f"{NAME}*.mrc"))
    if not files:
        raise TomoinrError(f"{folder}: there is no {NAME}.mrc, so there is nothing to report on")
    stacks = [open_stack(file, plugins) for file in files]
    read = [
        np.stack([np.asarray(s.image(i), np.float32) for i in range(s.shape[0])]) for s in stacks
    ]
    if len({array.shape for array in read}) > 1:
        raise TomoinrError(f"{folder}: the volumes in it differ in size; keep those of one result")
    voxels = _as_held(np.stack(read), recipe.get("output", {}).get("order", "imod"))
    _, *shape = voxels.shape
    grid = Grid((shape[0], shape[1], shape[2]), stacks[0].pixel_size or 1.0)
    names = (file.stem.removeprefix(NAME).strip("-_. ") or "signal" for file in files)
    return voxels, grid, tuple(names)


def read_series(
    folder: Path,
    voxels: np.ndarray,
    names: Sequence[str],
    grid: Grid,
    plugins: Plugins | None = None,
) -> Reconstruction:
    """The result with its images, read and prepared as its recipe says, and the poses found."""
    plugins = plugins or Plugins()
    recipe = Recipe.load(folder / "recipe.toml")
    data = recipe.data
    if not data.stack:
        raise TomoinrError("the recipe names no file: the images were in memory")
    stack = describe(data.stack, data.angles, plugins, data.pixel_size, data.tilt_axis)
    prepare = [build("prepare", step, plugins) for step in recipe.prepare]
    series = take(stack, data.exclude, prepare)
    series = collect(series, data.channel, plugins, prepare)
    if (series.shape[1], series.shape[2]) != (grid.shape[0], grid.shape[2]):
        raise TomoinrError(f"{data.stack} has images of another size than the volume")
    if len(series.channels) != len(voxels):
        raise TomoinrError(f"{data.stack} has other channels than the volume")
    voxels = voxels[_order(names, series.channels)]
    poses = read_poses(folder / "poses.json", series, plugins)
    grid = replace(grid, spacing=series.pixel_size)
    held = voxels[0] if len(voxels) == 1 else voxels
    return Reconstruction(held, grid, poses, (), series, recipe.table())


def _order(names: Sequence[str], channels: Sequence[str]) -> list[int]:
    """Where each channel's volume is among those of files, which come in the order of names."""
    plain = [re.sub(r"[^\w.+-]", "_", channel) for channel in channels]
    numbered = [f"{i}-{name}" for i, name in enumerate(plain)]
    for spelt in (list(channels), plain, numbered):
        if sorted(spelt) == sorted(names):
            return [list(names).index(name) for name in spelt]
    return list(range(len(names)))


def _as_held(voxels: np.ndarray, order: str) -> np.ndarray:
    """The way back from the order that files are written in: see `tomoinr.stack.in_order`."""
    return np.ascontiguousarray(np.rot90(voxels, -1, axes=(-3, -2)) if order == "xyz" else voxels)
