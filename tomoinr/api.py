"""What a notebook or a script calls: `reconstruct`; and `execute`, for a whole recipe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tomoinr.assemble import assemble
from tomoinr.checkpoint import Checkpoints, start_poses
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError
from tomoinr.exact import run_exactly
from tomoinr.geometry import Poses
from tomoinr.interfaces import Component, PoseModel, Prior, Projector, Solver, Volume
from tomoinr.io import check_folder, collect, describe, results, save_reconstruction, take
from tomoinr.io.applied import poses_for
from tomoinr.loop import Observer, run
from tomoinr.options import parse
from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, Choice, Data, Quality, Recipe, Run, build
from tomoinr.team import Solo, Team
from tomoinr.version import __version__

log = logging.getLogger(__name__)

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
    exact: bool = False,
    team: Team | None = None,
    plugins: Plugins | None = None,
    observers: Sequence[Observer] = (),
    checkpoints: Checkpoints | None = None,
) -> Reconstruction:
    """Learn the volume, and the poses, from one tilt series.

    Each part is a name, a table of a name and options, or an object of its interface. `depth` is
    the volume's thickness in voxels (default: the images' width), `start` the poses to begin with
    (default: those of the recorded angles), `steps` the solver's number of steps. The result's
    `voxels` are [y, z, x]; voxel × pixel size, summed along the beam, gives the pixel.
    `exact`: the same to the last bit on 1, 2 and 4 ranks.
    `checkpoints` keep a long run's state on the disk, until this returns.
    """
    if not isinstance(series, TiltSeries):
        raise TomoinrError("reconstruct takes a TiltSeries; read one with TiltSeries.load(path)")
    if start is not None and not isinstance(start, Poses):
        raise TomoinrError("start must be Poses; read them with tomoinr.io.read_poses(path)")
    plugins, team = plugins or Plugins(), team or Solo()
    priors = [priors] if isinstance(priors, (str, Mapping, Prior)) else priors
    if not isinstance(priors, Sequence | None):
        raise TomoinrError(f"priors must be a list of names, tables or priors, got {priors!r}")
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
    given = parse(
        Run, {"quality": quality, "depth": depth, "seed": seed, "exact": exact}, "reconstruct"
    )
    recipe = Recipe(run=given, priors=chosen, **named)
    full = recipe.resolve(plugins, made, steps, len(series.channels))
    made_priors = tuple(p for p in priors or () if isinstance(p, Prior))
    first, found = start_poses(series, full, plugins, start, team, checkpoints, made)
    problem, solver = assemble(series, full, plugins, first, made, made_priors)
    go = run_exactly if exact else run
    result = go(problem.to(team.device), solver, team, [*observers, plugins.stepped], checkpoints)
    if checkpoints:
        checkpoints.finish(team)
    data = _origin(series)
    lost = {"tilt series": not data.stack, "start": start, "prior": made_priors, **made}
    unsaid = ", ".join(name for name, there in lost.items() if there)
    alone = "This result cannot be run again from its recipe alone: objects of Python were"
    notes = [f"{alone} {unsaid}."] if unsaid else []
    return _documented(result, series, full, data, [*notes, *found, _made_by(full, plugins)])


def execute(
    recipe: Recipe,
    *,
    steps: int | None = None,
    force: bool = False,
    team: Team | None = None,
    plugins: Plugins | None = None,
    tell: Callable[[str], None] = lambda line: None,
    observers: Sequence[Observer] = (),
    checkpoints: Checkpoints | None = None,
) -> Reconstruction:
    """Read the data, reconstruct, and write the results into the recipe's folder."""
    plugins, team = plugins or Plugins(), team or Solo()
    data, folder = recipe.data, Path(recipe.output.folder)
    check_folder(folder, results(), force)
    if not data.stack:
        raise TomoinrError('[data]: the recipe names no tilt series; add stack = "…"')
    stack = describe(data.stack, data.angles, plugins, data.pixel_size, data.tilt_axis)
    full = recipe.resolve(plugins, steps=steps, channels=len(stack.channels))
    log.info("recipe: %s", full.table())
    prepare = [build("prepare", step, plugins) for step in full.prepare]

    def read() -> TiltSeries:
        return collect(take(stack, data.exclude, prepare), data.channel, plugins, prepare)

    with doing(f"reading {data.stack}"):
        series = team.once_a_node(read)
    check_folder(folder, results(series.channels), force)
    start = poses_for(data.poses, series, stack, plugins) if data.poses else None
    # Whole paths, so that it does not matter from where the result is saved.
    data = replace(
        full.beside(Path.cwd()).data,
        angles=stack.angles,
        pixel_size=stack.pixel_size,
        tilt_axis=stack.tilt_axis,
    )
    known = replace(full, data=data)
    first, found = start_poses(series, known, plugins, start, team, checkpoints)
    problem, solver = assemble(series, full, plugins, first)
    for line in (*assumptions(series, full), *(f"rough alignment: {note}" for note in found)):
        tell(line)
    broken_before = len(plugins.broken)
    go = run_exactly if full.run.exact else run
    result = go(problem.to(team.device), solver, team, [*observers, plugins.stepped], checkpoints)
    for note in result.notes:
        tell(note)
    for broken in plugins.broken[broken_before:]:
        tell(f"{broken.plugin}: {broken.reason}")
    result = _documented(result, series, full, data, [*found, _made_by(full, plugins)])
    with doing(f"writing the results into {folder}"):
        team.first(lambda: save_reconstruction(folder, result, full.output.order, force, plugins))
    if checkpoints:
        checkpoints.finish(team)
    return result


def _origin(series: TiltSeries) -> Data:
    """The file that holds all these images, if there is one, and what was taken for true of it."""
    file, whole = Path(series.source), tuple(range(len(series.angles)))
    stack = str(file.absolute()) if file.is_file() and series.sections == whole else None
    known = None if series.pixel_size == 1 else series.pixel_size
    return Data(stack, tuple(series.angles.tolist()), known)


def _documented(
    result: Reconstruction, series: TiltSeries, recipe: Recipe, data: Data, notes: list[str]
) -> Reconstruction:
    """The result with its data, and the recipe with what was chosen for the user."""
    table = replace(recipe, data=data, run=replace(recipe.run, depth=result.grid.shape[1])).table()
    return replace(result, series=series, recipe=table, notes=(*result.notes, *notes))


def _made_by(recipe: Recipe, plugins: Plugins) -> str:
    """The distribution and version of every part."""
    named = [(kind, choice.name) for kind in PARTS if (choice := getattr(recipe, kind))]
    named += [("prior", prior.name) for prior in recipe.priors or ()]
    parts = (f"{kind} {name} ({plugins.find(kind, name).provider})" for kind, name in named)
    return f"Made by tomoinr {__version__}: " + ", ".join(parts)


def assumptions(series: TiltSeries, recipe: Recipe) -> list[str]:
    """What is taken for granted, in words: the user may know better."""
    tilts, rows, columns = series.shape
    low, high = float(series.angles.min()), float(series.angles.max())
    unknown = series.pixel_size == 1 and recipe.data.pixel_size is None
    size = "pixel size unknown, taken as 1 Å" if unknown else f"pixels of {series.pixel_size:g} Å"
    depth = recipe.run.depth or columns
    kinds = ("solver", "volume", "poses", "projector")
    parts = ", ".join(f"{kind} {c.name}" for kind in kinds if (c := getattr(recipe, kind)))
    return [
        f"{series.source}: {tilts} images of {rows} × {columns}, "
        f"{size}, tilts {low:g}° to {high:g}°",
        *series.notes,
        f"volume {rows} × {depth} × {columns} [y, z, x]; {parts}",
    ]
