"""`tomoinr info` and `tomoinr rerun`: what a file holds, and a result once more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tomoinr.api import execute
from tomoinr.cli.given import Force
from tomoinr.cli.progress import Progress
from tomoinr.errors import TomoinrError
from tomoinr.io import open_stack
from tomoinr.io.image_statistics import Statistics
from tomoinr.io.inspect import RECIPE, VOLUME, Found, inspect, order_of
from tomoinr.io.provenance import changed_inputs, changed_versions, provenance, read_provenance
from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, Recipe
from tomoinr.stack import Stack
from tomoinr.teams import open_team


def info(
    file: Annotated[Path, typer.Argument(help="A tilt series, a volume, or a result's folder.")],
    angles: Annotated[
        str | None, typer.Option(help='File of angles, or "-60:60:3"; they may be missing.')
    ] = None,
    tilt_axis: Annotated[
        str | None, typer.Option(help="y, x, or degrees counter-clockwise from y.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Tell what a file holds, and what looks wrong: angles, statistics, odd images."""
    found = inspect(file, angles, tilt_axis)
    if json_:
        typer.echo(json.dumps(found.table(), indent=1, allow_nan=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    table = Table("", "", box=None, show_header=False, pad_edge=False)
    for name, value in _lines(found):
        table.add_row(f"[bold]{escape(name)}[/]", escape(value))
    console.print(table)
    for line in found.odd:
        console.print(f"[bold yellow]odd[/] {escape(line)}")
    if not found.odd:
        console.print("nothing looks odd")


def rerun(
    output: Annotated[Path, typer.Argument(help="A result's folder, or a file in it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results; else OUTPUT-again.")] = (
        None
    ),
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even where an input or the recipe has changed.")
    ] = False,
    force: Force = False,
) -> None:
    """Repeat a result from its recipe; say what has changed since, and whether it is the same."""
    folder = _folder(output)
    again = out or folder.with_name(f"{folder.name}-again")
    recipe, team = Recipe.load(folder / RECIPE, again), open_team()
    with Progress(team.rank == 0) as progress:
        for line in _changes(folder, recipe, anyway):
            progress.tell(line)
        execute(recipe, force=force, team=team, tell=progress.tell, observers=[progress.stepped])
        told = team.first(lambda: _compared(folder / VOLUME, again / VOLUME))
        progress.tell(f"{again}: {told}")


def _lines(found: Found) -> Iterator[tuple[str, str]]:
    """What there is to say, by name."""
    stack = found.stack
    count, rows, columns = stack.shape
    what = (
        f"volume of {count} × {rows} × {columns}"
        if found.is_volume
        else (f"{count} images of {rows} × {columns}")
    )
    yield "file", stack.source
    yield "holds", f"{what}, {stack.dtype.name}"
    unknown = "unknown, taken as 1 Å (--pixel-size)"
    yield "pixel size", unknown if stack.pixel_size is None else f"{stack.pixel_size:g} Å"
    if not found.is_volume:
        yield "angles", _angles(stack)
    for note in stack.notes:
        yield "", note
    for one in found.statistics:
        yield f"values ({one.channel})" if len(found.statistics) > 1 else "values", _values(one)
    if found.result:
        yield from _result_lines(found.result)


def _angles(stack: Stack) -> str:
    if stack.angles is None:
        return "unknown: a volume, or a stack whose angles must be given (--angles)"
    low, high = min(stack.angles), max(stack.angles)
    steps = np.diff(np.sort(stack.angles))
    step = f", steps of {np.median(steps):.4g}°" if len(steps) else ""
    return f"{low:g}° to {high:g}°{step}, {order_of(stack.angles)}"


def _values(one: Statistics) -> str:
    if not np.isfinite(one.low):
        return "no finite value"
    spread = ", ".join(f"{at} % {value:.4g}" for at, value in one.percentiles.items())
    return (
        f"{one.low:.4g} to {one.high:.4g}, mean {one.mean:.4g}, std {one.std:.4g}; "
        f"percentiles {spread}"
    )


def _result_lines(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts, versions and course of a result."""
    recipe, made = Recipe.parse(result["recipe"]), result["provenance"]
    yield (
        "made with",
        ", ".join(f"{kind} {c.name}" for kind in PARTS if (c := getattr(recipe, kind))),
    )
    yield "from", recipe.data.stack or "a series that was in memory"
    if result["last"]:
        yield "steps", f"{result['last']['step']:.0f}, last loss {result['last']['loss']:.4g}"
    if made:
        yield "versions", ", ".join(f"{name} {was}" for name, was in made["versions"].items())
        yield "machine", ", ".join(f"{name} {was}" for name, was in made["machine"].items())
    for line in result["warnings"]:
        yield "warning", str(line)


def _folder(output: Path) -> Path:
    """The folder that a result, or a file of one, lies in."""
    if output.suffix == ".toml" and output.name != RECIPE:
        raise TomoinrError(f"{output}: to carry out another recipe: tomoinr run {output}")
    folder = (output if output.is_dir() else output.parent).absolute()
    if not output.exists() or not (folder / RECIPE).is_file():
        raise TomoinrError(f"{output}: no result to repeat: there is no {RECIPE} in {folder}")
    return folder


def _changes(folder: Path, recipe: Recipe, anyway: bool) -> Iterator[str]:
    """What is not as it was; an input or recipe that has changed is refused unless told."""
    for name in PARTS:
        if getattr(recipe, name) is None:
            raise TomoinrError(
                f"{folder / RECIPE}: it names no {name}, so the result was made with an object of "
                "Python: repeat it with the script that made it"
            )
    then = read_provenance(folder)
    if then is None:
        yield f"{folder}: holds no provenance.json, so it is unknown what has changed since"
        return
    yield from (f"noted then: {note}" for note in then.get("notes", ()))
    changed = list(changed_inputs(then, folder))
    if changed and not anyway:
        raise TomoinrError(f"{'; '.join(changed)}: repeat it with what there is now: --anyway")
    yield from changed
    yield from changed_versions(then, provenance(recipe.table() | {"data": {}}, (), Plugins()))


def _compared(before: Path, after: Path) -> str:
    """Whether two volumes are the same, read slice by slice."""
    if not before.is_file():
        return f"not compared: there is no {before}"
    old, new = open_stack(before), open_stack(after)
    if old.shape != new.shape:
        return f"another volume: {new.shape} voxels, {old.shape} before"
    power = difference = 0.0
    same = old.dtype == new.dtype
    for i in range(old.shape[0]):
        one, other = np.asarray(old.image(i)), np.asarray(new.image(i))
        same = same and one.tobytes() == other.tobytes()
        power += float(np.square(one, dtype=np.float64).sum())
        difference += float(np.square(np.subtract(other, one, dtype=np.float64)).sum())
    if same:
        return "the volume is bit-identical"
    return f"the volume differs by {np.sqrt(difference / max(power, 1e-300)):.2g} of its rms"
