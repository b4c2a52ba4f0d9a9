"""From a series and a resolved recipe to a problem that a solver can start on."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tomoinr.data import Alignment, TiltSeries
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import Prior, Problem, Solver, check_fit
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe, build

COPIES = 6  # of the volume that a solver holds, about: gradients, moments, what is displayed
DEEPEST = 16  # times the images' size: a thicker volume is a slip of the pen


def assemble(
    series: TiltSeries,
    recipe: Recipe,
    plugins: Plugins,
    start: Poses | None = None,
    made: Mapping[str, Any] | None = None,
    priors: tuple[Prior, ...] = (),
) -> tuple[Problem, Solver]:
    """Problem and solver of a resolved recipe; `made` parts are taken as they are.

    Parts that do not fit are refused.
    """
    torch.manual_seed(recipe.run.seed)
    made = made or {}
    grid = made["volume"].grid if "volume" in made else series.grid(recipe.run.depth)
    channels = len(series.channels)
    check_size(grid, channels)
    nominal = _nominal(series, start)
    scale = typical_densities(series, grid.spacing * min(grid.shape[2] / 3, grid.shape[1]))

    def part(kind: str, *arguments: Any) -> Any:
        return made.get(kind) or build(kind, getattr(recipe, kind), plugins, *arguments)

    problem = Problem(
        series=series.scaled(1 / scale),
        grid=grid,
        volume=part("volume", grid, channels),
        poses=part("poses", nominal, grid),
        projector=part("projector", grid),
        priors=(*priors, *(build("prior", p, plugins) for p in recipe.priors or ())),
        seed=recipe.run.seed,
        scale=scale,
    )
    solver = part("solver")
    check_fit(problem, solver)
    return problem, solver


def rough_alignment(
    series: TiltSeries, recipe: Recipe, plugins: Plugins, made: Mapping[str, Any] | None = None
) -> Alignment | None:
    """Where the images stand, if poses are to be learned and the recipe wants to know."""
    learned = recipe.poses is not None and recipe.poses.name != "fixed"
    if not recipe.run.align or not learned or (made and "poses" in made):
        return None
    with doing("finding rough poses"):
        return plugins.align(series)


def _nominal(series: TiltSeries, start: Poses | None) -> Poses:
    """The poses to start from: those given, else those of the recorded angles."""
    if start is not None and len(start.shift) != len(series.angles):
        raise TomoinrError(
            f"{len(start.shift)} poses to start from, but {len(series.angles)} images"
        )
    nominal = start or Poses.of(series.angles, series.tilt_axis)
    return Poses(nominal.rotation.float(), nominal.shift.float())


def check_size(grid: Grid, channels: int) -> None:
    """Refuse a volume that this machine cannot hold, instead of being killed for it."""
    rows, depth, columns = grid.shape
    size = f"{rows} × {depth} × {columns} voxels"
    if depth > DEEPEST * max(rows, columns):
        raise TomoinrError(
            f"a volume of {size} is more than {DEEPEST} times as deep as the images are large; "
            "give a smaller depth"
        )
    needed, there = 4 * channels * math.prod(grid.shape) * COPIES, _memory()
    if needed > there:
        raise TomoinrError(
            f"a volume of {size} needs about {needed / 2**30:.0f} GiB of memory, this machine "
            f"has {there / 2**30:.0f}; bin the images or give a smaller depth"
        )


def _memory() -> float:
    """Bytes of this machine; endless where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return math.inf


def typical_densities(series: TiltSeries, thickness: float) -> float | Tensor:
    """That of the only channel, or of each (C,1,1,1): an EDS map is a thousand times fainter."""
    if len(series.channels) == 1:
        return typical_density(series, thickness)
    alone = (series.channel(i) for i in range(len(series.channels)))
    return torch.tensor([typical_density(one, thickness) for one in alone])[:, None, None, None]


def typical_density(series: TiltSeries, thickness: float) -> float:
    """The brightest pixels' density, were the specimen so thick (Å): a third of the box's width.

    Inside, data are divided by it, so that no option depends on the units of the file.
    """
    values = series.images.reshape(-1)
    values = values[:: max(1, len(values) // 1_000_000)].abs().double()
    # A lone particle may fill less than a thousandth.
    bright = float(torch.quantile(values, 0.999)) or float(series.images.abs().max())
    if bool((series.images.amax((2, 3)) == series.images.amin((2, 3))).all()):
        name = "" if series.channels == ("signal",) else f" in channel {series.channels[0]}"
        raise TomoinrError(f"{series.source}: every image is flat{name}; there is nothing to see")
    return bright / thickness
