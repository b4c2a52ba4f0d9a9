"""`tomoinr align` and `tomoinr apply-poses`: images that fit together, without a volume."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.api import assumptions
from tomoinr.assemble import assemble
from tomoinr.builtin.pose_files.imod import held
from tomoinr.cli.given import (
    Angles,
    Depth,
    Exclude,
    Force,
    Images,
    Json,
    PixelSize,
    Prepare,
    Quality,
    Results,
    Seed,
    TiltAxis,
    choices,
)
from tomoinr.cli.plain import tell
from tomoinr.cli.progress import Progress
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.io import check_folder, describe, save, take
from tomoinr.io.applied import applied, as_filed, pose_texts, poses_for, quarters
from tomoinr.io.atomic import atomic, made
from tomoinr.io.outputs import check_apart, check_suffix
from tomoinr.io.poses import poses_text
from tomoinr.io.records import record_beside, record_text
from tomoinr.loop import Observer, run
from tomoinr.options import table
from tomoinr.plugins import Plugins
from tomoinr.recipe import Data, Recipe, build
from tomoinr.stack import Stack
from tomoinr.teams import open_team

POSES = ("poses.json", "poses.xf", "poses.tlt", "poses.xtilt")
ARETOMO = "poses.aln"
WRITTEN = (".json", ".xf", ".aln")  # the others come with .xf
MOVING, OFFSETS = ("flip", "rotate"), ("offset_x", "offset_y")
NOTED = 0.01  # degrees of pitch that are worth a line

Box = Annotated[
    str | None, typer.Option(help="Rows,columns of the aligned images; else as many as before.")
]


def align(
    stack: Images,
    out: Results,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Exclude = "",
    prepare: Prepare = None,
    poses: Annotated[str, typer.Option(help="Pose model: shift, rigid, …")] = "rigid",
    rough: Annotated[
        bool,
        typer.Option("--rough", help="Rough poses, or those of --start, and nothing finer."),
    ] = False,
    quality: Annotated[Quality, typer.Option(help="Time against quality.")] = Quality.fast,
    depth: Depth = None,
    start: Annotated[
        Path | None, typer.Option(help="Poses to start from: .json, .xf, .tlt, .aln, …")
    ] = None,
    seed: Seed = 0,
    aln: Annotated[bool, typer.Option("--aln", help="Write poses.aln as well.")] = False,
    box: Box = None,
    name: Annotated[
        str, typer.Option(help="The aligned stack in the folder; its suffix is the format.")
    ] = "aligned.mrc",
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Find poses; writes aligned.mrc, aligned.rawtlt, poses.json, poses.xf, .tlt and .xtilt.

    What they were made from goes beside them (.provenance.json), for `tomoinr rerun`.
    """
    given = {name: value for name, value in locals().items() if name != "as_json"}
    team, host, size = open_team(), Plugins(), _size(box)
    written = (*POSES, *([ARETOMO] if aln else []))
    names = (name, str(Path(name).with_suffix(".rawtlt")), *written)
    record = record_beside(out / name)
    check_folder(out, (*names, record.name), force)
    check_suffix(out / name, host)
    filed = describe(stack, angles, host, pixel_size, tilt_axis)
    series = _taken(filed, exclude, prepare, host)
    quarters(series, filed)  # now: it would be a pity after all the work
    chosen = {"quality": Quality(quality).value, "seed": seed}
    chosen |= {"depth": depth} if depth else {}
    recipe = _believing({"run": chosen, "poses": poses}, pixel_size)
    recipe = recipe if rough else recipe.resolve(host)
    begin = poses_for(start, series, filed, host) if start else None
    with Progress(team.rank == 0) as progress:
        for line in assumptions(series, recipe)[: -1 if rough else None]:
            progress.tell(line)
        found = begin or _roughly(series, host, progress.tell)
        if not rough:
            problem, solver = assemble(series, recipe, host, found)
            observers: list[Observer] = [progress, host.stepped]
            result = run(problem.to(team.device), solver, team, observers)
            found = result.poses
            for line in result.notes:
                progress.tell(line)

        def write() -> None:
            texts: dict[Path, str] = {}
            for path in (out / file for file in written if Path(file).suffix in WRITTEN):
                texts |= pose_texts(path, found, series, filed, host)
            texts[record] = _recorded(record, "align", given, names, recipe, filed, host)
            _save(out / name, _flat(series, found, size, progress.tell), texts, force, host)

        team.first(write)
        progress.tell(f"wrote {', '.join((*names, record.name))} in {out}")
    if as_json and team.rank == 0:
        poses = json.loads(poses_text(found, series))["tilts"]
        files = {file: str(out / file) for file in (*names, record.name)}
        tell({"folder": str(out), "files": files, "poses": poses, "notes": list(series.notes)})


def apply_poses(
    stack: Images,
    poses: Annotated[Path, typer.Argument(help="Poses: .json, .xf, .tltxf, .tlt, .xtilt, .aln.")],
    out: Annotated[Path, typer.Option(help="The aligned stack; its suffix is the format.")],
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Exclude = "",
    prepare: Prepare = None,
    poses_pixel_size: Annotated[
        float | None,
        typer.Option(help="In Å, of the stack that .xf or .aln were made for; else STACK's own."),
    ] = None,
    box: Box = None,
    force: Force = False,
) -> None:
    """Apply poses to a stack, perhaps another channel; writes it and its .rawtlt.

    What they were made from goes beside them (.provenance.json), for `tomoinr rerun`.
    """
    given = dict(locals())
    host, shape, names = Plugins(), _size(box), (out.name, out.with_suffix(".rawtlt").name)
    record = record_beside(out)
    check_folder(out.parent, (*names, record.name), force)
    check_apart(out, str(stack))
    check_suffix(out, host)
    filed = describe(stack, angles, host, pixel_size, tilt_axis)
    series = _taken(filed, exclude, prepare, host)
    meant = replace(filed, pixel_size=poses_pixel_size or filed.pixel_size)
    found = poses_for(poses, series, meant, host)
    with Progress() as progress:
        recipe = _believing({}, pixel_size)
        for line in assumptions(series, recipe)[:-1]:
            progress.tell(line)
        if poses.suffix.lower() != ".json":
            size = as_filed(meant).pixel_size
            progress.tell(f"shifts in {poses.name} taken to be in pixels of {size:g} Å")
        text = _recorded(record, "apply-poses", given, names, recipe, filed, host)
        _save(out, _flat(series, found, shape, progress.tell), {record: text}, force, host)
        progress.tell(f"wrote {', '.join((*names, record.name))} in {out.parent}")


def _taken(filed: Stack, exclude: str, prepare: list[str] | None, plugins: Plugins) -> TiltSeries:
    """The images that are wanted, prepared by steps that leave them where they are."""
    chosen = choices(prepare)
    for step in chosen:
        if step.name in MOVING or any(step.options.get(name) for name in OFFSETS):
            raise TomoinrError(
                f"--prepare {step.name} moves the images, so that poses would not fit the file "
                "they are in; write them anew (tomoinr prepare), then take that file"
            )
    steps = Recipe(prepare=tuple(chosen)).resolve(plugins).prepare
    return take(filed, exclude, [build("prepare", step, plugins) for step in steps])


def _believing(table: dict[str, Any], pixel_size: float | None) -> Recipe:
    """A recipe that says which pixel size was given, if one was."""
    data = {} if pixel_size is None else {"data": {"pixel_size": pixel_size}}
    return Recipe.parse(table | data)


def _recorded(
    record: Path,
    command: str,
    given: dict[str, Any],
    names: tuple[str, ...],
    recipe: Recipe,
    filed: Stack,
    plugins: Plugins,
) -> str:
    """The record of a command, with what was read from files or filled in written out."""
    prepare = Recipe(prepare=tuple(choices(given["prepare"]))).resolve(plugins).prepare
    start = given["start"] if command == "align" else given["poses"]
    data = Data(
        stack=str(given["stack"].absolute()),
        angles=filed.angles,
        pixel_size=filed.pixel_size,
        poses=str(start.absolute()) if start else None,
        tilt_axis=filed.tilt_axis,
        exclude=given["exclude"],
    )
    told = table(data)
    given = given | {"prepare": [step.table() for step in prepare]}
    given |= {name: told.get(name) for name in ("angles", "pixel_size", "tilt_axis")}
    full = replace(recipe, data=data, prepare=prepare).table()
    return record_text(record, command, given, names, full, plugins)


def _roughly(series: TiltSeries, plugins: Plugins, tell: Callable[[str], None]) -> Poses:
    """Rough poses, from which everything starts."""
    found = plugins.align(series)
    if found is None:
        raise TomoinrError("no plugin finds rough poses; give some to start from (--start)")
    for note in found.notes:
        tell(f"rough alignment: {note}")
    return found.poses


def _flat(
    series: TiltSeries, poses: Poses, box: tuple[int, int] | None, tell: Callable[[str], None]
) -> TiltSeries:
    """The images without turns and shifts; these are the turns that IMOD would undo."""
    turn, tilt, pitch = held(poses)
    shift = poses.shift.detach().double()
    pixels = float(shift.norm(dim=1).max()) / series.pixel_size
    tell(
        f"undone: shifts of up to {pixels:.2f} pixels, "
        f"turns of {float(turn.min()):.2f}° to {float(turn.max()):.2f}°"
    )
    if float(pitch.abs().max()) > NOTED:
        steepest = float(pitch.abs().max())
        tell(f"not undone: the specimen is pitched about x by up to {steepest:.2f}° (.xtilt)")
    return applied(series, Poses.of(tilt, turn, shift=shift), box)


def _save(
    path: Path, series: TiltSeries, texts: dict[Path, str], force: bool, plugins: Plugins
) -> None:
    """An aligned stack and the texts that go with it: all of them, or none."""
    with made(path.parent), ExitStack() as files:
        for target, text in texts.items():
            files.enter_context(atomic(target, force)).write_text(text, "utf-8")
        save(path, series, force, plugins=plugins)


def _size(box: str | None) -> tuple[int, int] | None:
    """Rows and columns, as people write them."""
    if box is None:
        return None
    try:
        rows, columns = map(int, box.split(","))
    except ValueError:
        rows = columns = 0
    if min(rows, columns) < 1:
        raise TomoinrError(f"a box of '{box}' pixels cannot be; give rows,columns, as in 512,400")
    return rows, columns
