"""`tomoinr prepare`: steps that make images ready, written to a file of their own."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import typer

from tomoinr.cli.given import OUTPUT, Angles, Excluded, Json, PixelSize, TiltAxis, choices
from tomoinr.cli.plain import tell
from tomoinr.cli.progress import Progress
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import check_file, describe, save, take
from tomoinr.io.atomic import atomic
from tomoinr.io.records import record_beside, record_text
from tomoinr.options import parse, table
from tomoinr.plugins import Plugins
from tomoinr.recipe import Choice, Data, Recipe, build
from tomoinr.stack import Stack
from tomoinr.version import __version__


def prepare(
    out: Annotated[Path, typer.Option(help="The file to write; its suffix names the format.")],
    stack: Annotated[Path | None, typer.Argument(help="The tilt series.")] = None,
    step: Annotated[
        list[str] | None, typer.Option(help="A step, as in bin:factor=2; several, in order.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Steps of a recipe; without STACK, its data too.")
    ] = None,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Annotated[str | None, Excluded] = None,
    as_json: Json = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace earlier files.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Prepare a tilt series; writes OUT, its angles (.rawtlt) and the steps (.toml) beside it.

    `tomoinr options prepare NAME` lists the options of a step, `tomoinr plugins` the steps. What it
    was made from goes beside it, too (.provenance.json), for `tomoinr rerun`.
    """
    given = {"stack": stack and str(stack), "angles": angles, "pixel_size": pixel_size}
    given |= {"tilt_axis": tilt_axis, "exclude": exclude}
    wanted = _wanted(recipe, {k: v for k, v in given.items() if v is not None}, step or [])
    plugins, kept, record = Plugins(), out.with_suffix(".toml"), record_beside(out)
    full = [_full(choice, plugins) for choice in wanted.prepare]
    steps = [build("prepare", choice, plugins) for choice in full]
    data = wanted.data
    assert data.stack, "asked for above"
    check_file(out, force, data.stack, (kept, out.with_suffix(".rawtlt"), record), plugins)
    with Progress() as progress:
        found = describe(data.stack, data.angles, plugins, data.pixel_size, data.tilt_axis)
        _tell(progress, (_seen(found), *found.notes))
        series = take(found, data.exclude, steps)
        _tell(progress, (*map(_done, full), *series.notes[len(found.notes) :]))
        texts = {
            kept: _repeatable(data, found, full, plugins, out.parent),
            record: _recorded(record, out, data, found, full, plugins),
        }
        with ExitStack() as files:
            for path, text in texts.items():
                files.enter_context(atomic(path, force)).write_text(text, "utf-8")
            save(out, series, force, plugins=plugins)
        _tell(progress, _written(series, out, kept))
    if as_json:
        tell(_summary(series, out, kept))


def _summary(series: TiltSeries, out: Path, kept: Path) -> dict[str, Any]:
    """For programs."""
    return {
        "file": str(out),
        "angles_file": str(out.with_suffix(".rawtlt")),
        "recipe": str(kept),
        "shape": list(series.shape),
        "angles": series.angles.tolist(),
        "pixel_size": None if series.pixel_size == 1 else series.pixel_size,
        "tilt_axis": series.tilt_axis,
        "notes": list(series.notes),
    }


def _wanted(path: Path | None, given: dict[str, Any], steps: list[str]) -> Recipe:
    """The data and the steps: as given, after those of a recipe."""
    earlier = Recipe.load(path) if path else Recipe()
    data = Data() if "stack" in given else earlier.data
    if not (data.stack or "stack" in given):
        raise TomoinrError("name the tilt series to prepare, or a recipe that does (--recipe)")
    told = Recipe.parse({"data": {**table(data), **given}})
    chosen = (*earlier.prepare, *choices(steps))
    if not chosen:
        raise TomoinrError(
            "name what is to be done (--step bin:factor=2), or a --recipe with steps"
        )
    return replace(told, prepare=chosen)


def _tell(progress: Progress, lines: Iterable[str]) -> None:
    for line in lines:
        progress.tell(line)


def _seen(stack: Stack) -> str:
    images, rows, columns = stack.shape
    size = "unknown, taken as 1 Å" if stack.pixel_size is None else f"{stack.pixel_size:g} Å"
    return f"{stack.source}: {images} images of {rows} × {columns}, pixel size {size}"


def _full(choice: Choice, plugins: Plugins) -> Choice:
    """A step with every option."""
    options = plugins.find("prepare", choice.name).cls.Options
    return Choice(choice.name, table(parse(options, choice.options, f"prepare '{choice.name}'")))


def _done(step: Choice) -> str:
    """A step and its options, as it could be written on the command line."""
    chosen = ",".join(f"{name}={value}" for name, value in step.options.items())
    return f"{step.name}:{chosen}" if chosen else step.name


def _repeatable(
    data: Data, stack: Stack, steps: list[Choice], plugins: Plugins, folder: Path
) -> str:
    """A recipe of what was done, its path counted from the folder where that is below it."""
    source, base = Path(stack.source).resolve(), folder.resolve()
    if source.is_relative_to(base):
        source = source.relative_to(base)
    made = (f"{step.name} ({plugins.find('prepare', step.name).provider})" for step in steps)
    recipe = _table(data, str(source), stack, steps)
    return f"# Made by tomoinr {__version__}: {', '.join(made)}\n{tomli_w.dumps(recipe)}"


def _recorded(
    record: Path, out: Path, data: Data, stack: Stack, steps: list[Choice], plugins: Plugins
) -> str:
    """The record of the command, with what was read from files or filled in written out."""
    recipe = _table(data, str(Path(stack.source).absolute()), stack, steps)
    told = recipe["data"]
    given = {name: told.get(name) for name in ("angles", "pixel_size", "tilt_axis", "exclude")}
    given |= {"stack": Path(stack.source), "step": recipe["prepare"], "out": out}
    names = (out.name, out.with_suffix(".rawtlt").name)
    return record_text(record, "prepare", given, names, recipe, plugins)


def _table(data: Data, source: str, stack: Stack, steps: list[Choice]) -> dict[str, Any]:
    """A recipe's table, with what the file says of itself."""
    told = replace(
        data,
        stack=source,
        angles=stack.angles,
        pixel_size=stack.pixel_size,
        tilt_axis=stack.tilt_axis,
    )
    return {"data": table(told), "prepare": [step.table() for step in steps]}


def _written(series: TiltSeries, out: Path, recipe: Path) -> list[str]:
    tilts, rows, columns = series.shape
    low, high = float(series.angles.min()), float(series.angles.max())
    size = "of unknown size" if series.pixel_size == 1 else f"of {series.pixel_size:g} Å"
    lines = [
        f"wrote {out}: {tilts} images of {rows} × {columns}, pixels {size}, "
        f"tilts {low:g}° to {high:g}°; the steps are in {recipe}"
    ]
    if axis := series.tilt_axis:
        said = f"(--tilt-axis {axis:g}, where its format does not say so)"
        lines.append(f"its tilt axis is at {axis:g}° from y {said}")
    return lines
