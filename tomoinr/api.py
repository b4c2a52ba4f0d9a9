"""What a notebook or a script calls: `reconstruct`; and `execute`, for a whole recipe."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.files import RESULTS, check_folder, load, read_poses, save_reconstruction
from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import (
    Component,
    PoseModel,
    Prior,
    Problem,
    Projector,
    Solver,
    Volume,
    check_fit,
)
from tomoinr.loop import Observer, run
from tomoinr.options import parse
from tomoinr.plugins import Plugins
from tomoinr.recipe import DEFAULT, Choice, Quality, Recipe, Run, build
from tomoinr.team import Solo, Team

COPIES = 6  # of the volume that a solver holds, about: gradients, moments, what is displayed
Named = str | Mapping[str, Any] | None
"""A part by name, or `{"name": "siren", "width": 128}`, or `None`: what suits the solver."""


def reconstruct(
    series: TiltSeries,
    *,
    volume: Named | Volume = None,
    poses: Named | PoseModel = None,
    projector: Named | Projector = None,
    solver: Named | Solver = None,
    priors: Named | Prior | Sequence[str | Mapping[str, Any] | Prior] = None,
    quality: Quality = "default",
    steps: int | None = None,
    depth: int | None = None,
    start: Poses | None = None,
    seed: int = 0,
    team: Team | None = None,
    plugins: Plugins | None = None,
    observers: Sequence[Observer] = (),
) -> Reconstruction:
    """Learn the volume, and the poses, from one tilt series.

    Each part is a name, a table of a name and options, or an object of its interface. `depth` is
    the volume's thickness in voxels (default: the images' width), `start` the poses to begin with
    (default: those of the recorded angles), `steps` the solver's number of steps. The result's
    `voxels` are [y, z, x]; voxel × pixel size, summed along the beam, gives the pixel.
    """
    if not isinstance(series, TiltSeries):
        raise TomoinrError("reconstruct takes a TiltSeries; read one with TiltSeries.load(path)")
    plugins, team = plugins or Plugins(), team or Solo()
    priors = [priors] if isinstance(priors, (str, Mapping, Prior)) else priors
    parts = {"volume": volume, "poses": poses, "projector": projector, "solver": solver}
    made = {kind: part for kind, part in parts.items() if isinstance(part, Component)}
    named: dict[str, Any] = {
        kind: Choice.of(part, kind)
        for kind, part in parts.items()
        if part is not None and not isinstance(part, Component)
    }
    chosen = None
    if priors is not None:
        chosen = tuple(Choice.of(p, "prior") for p in priors if not isinstance(p, Prior))
    given = parse(Run, {"quality": quality, "depth": depth, "seed": seed}, "reconstruct")
    full = Recipe(run=given, priors=chosen, **named).resolve(plugins, made, steps)
    made_priors = tuple(p for p in priors or () if isinstance(p, Prior))
    problem, solver = _put_together(series, full, plugins, start, made, made_priors)
    result = run(problem.to(team.device), solver, team, [*observers, plugins.stepped])
    return replace(result, series=series, recipe=full.table())


def execute(
    recipe: Recipe,
    *,
    steps: int | None = None,
    force: bool = False,
    team: Team | None = None,
    plugins: Plugins | None = None,
    tell: Callable[[str], None] = lambda line: None,
    observers: Sequence[Observer] = (),
) -> Reconstruction:
    """Read the data, reconstruct, and write the results into the recipe's folder."""
    plugins, team = plugins or Plugins(), team or Solo()
    full = recipe.resolve(plugins, steps=steps)
    data, folder = full.data, Path(full.output.folder)
    check_folder(folder, RESULTS, force)
    if not data.stack:
        raise TomoinrError('[data]: the recipe names no tilt series; add stack = "…"')
    series = load(data.stack, data.angles, plugins, data.pixel_size)
    for name in data.prepare:
        series = plugins.prepare(name, series)
    start = read_poses(data.poses) if data.poses else None
    problem, solver = _put_together(series, full, plugins, start)
    for line in assumptions(series, full):
        tell(line)
    known = len(plugins.broken)
    result = run(problem.to(team.device), solver, team, [*observers, plugins.stepped])
    for broken in plugins.broken[known:]:
        tell(f"{broken.plugin}: {broken.reason}")
    # Whole paths, so that the recipe written serves from any folder.
    result = replace(result, series=series, recipe=full.beside(Path.cwd()).table())
    if team.rank == 0:
        save_reconstruction(folder, result, full.output.order, force, plugins)
    return result


def assumptions(series: TiltSeries, recipe: Recipe) -> list[str]:
    """What is taken for granted, in words: the user may know better."""
    tilts, rows, columns = series.shape
    low, high = float(series.angles.min()), float(series.angles.max())
    unknown = series.pixel_size == 1 and recipe.data.pixel_size is None
    size = "pixel size unknown, taken as 1 Å" if unknown else f"pixels of {series.pixel_size:g} Å"
    depth = recipe.run.depth or columns
    return [
        f"{series.source}: {tilts} images of {rows} × {columns}, "
        f"{size}, tilts {low:g}° to {high:g}° about the vertical axis (y)",
        f"volume {rows} × {depth} × {columns} [y, z, x]; "
        + ", ".join(
            f"{k} {c.name}"
            for k in ("solver", "volume", "poses", "projector")
            if (c := getattr(recipe, k))
        ),
    ]


def _put_together(
    series: TiltSeries,
    recipe: Recipe,
    plugins: Plugins,
    start: Poses | None = None,
    made: Mapping[str, Any] | None = None,
    priors: tuple[Prior, ...] = (),
) -> tuple[Problem, Solver]:
    """Problem and solver of a resolved recipe; parts that do not fit are refused."""
    torch.manual_seed(recipe.run.seed)
    problem = assemble(series, recipe, plugins, start, made, priors)
    solver = (made or {}).get("solver") or build("solver", recipe.solver or DEFAULT, plugins)
    check_fit(problem, solver)
    return problem, solver


def check_memory(grid: Grid, channels: int) -> None:
    """Refuse a volume that this machine cannot hold, instead of being killed for it."""
    needed = 4 * channels * math.prod(grid.shape) * COPIES
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise TomoinrError(
            f"a volume of {' × '.join(map(str, grid.shape))} voxels needs about "
            f"{needed / 2**30:.0f} GiB of memory, this machine has {there / 2**30:.0f}; "
            "bin the images or give a smaller depth"
        )


def assemble(
    series: TiltSeries,
    recipe: Recipe,
    plugins: Plugins,
    start: Poses | None = None,
    made: Mapping[str, Any] | None = None,
    priors: tuple[Prior, ...] = (),
) -> Problem:
    """The problem of a resolved recipe; `made` parts are taken as they are."""
    made = made or {}
    grid = made["volume"].grid if "volume" in made else series.grid(recipe.run.depth)
    check_memory(grid, len(series.channels))
    if start is not None and len(start.shift) != len(series.angles):
        raise TomoinrError(
            f"{len(start.shift)} poses to start from, but {len(series.angles)} images"
        )
    nominal = start or Poses.of(series.angles)
    nominal = Poses(nominal.rotation.float(), nominal.shift.float())
    channels = len(series.channels)
    scale = typical_density(series, grid.spacing * min(grid.shape[2] / 3, grid.shape[1]))

    def part(kind: str, *arguments: Any) -> Any:
        return made.get(kind) or build(kind, getattr(recipe, kind), plugins, *arguments)

    return Problem(
        series=series.scaled(1 / scale),
        grid=grid,
        volume=part("volume", grid, channels),
        poses=part("poses", nominal, grid),
        projector=part("projector", grid),
        priors=(*priors, *(build("prior", p, plugins) for p in recipe.priors or ())),
        seed=recipe.run.seed,
        scale=scale,
    )


def typical_density(series: TiltSeries, thickness: float) -> float:
    """The brightest pixels' density, were the specimen so thick (Å): a third of the box's width.

    Inside, data are divided by it, so that no option depends on the units of the file.
    """
    values = series.images.reshape(-1)
    values = values[:: max(1, len(values) // 1_000_000)].abs().double()
    # A lone particle may fill less than a thousandth.
    bright = float(torch.quantile(values, 0.999)) or float(series.images.abs().max())
    if bright == 0:
        raise TomoinrError(f"{series.source}: every pixel is zero; there is nothing to see")
    return bright / thickness
