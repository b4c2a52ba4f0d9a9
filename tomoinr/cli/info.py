"""`tomoinr info`: what a file holds, and what looks odd about it."""

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

from tomoinr.io.image_statistics import Statistics
from tomoinr.io.inspect import Found, inspect, order_of
from tomoinr.recipe import PARTS, Recipe
from tomoinr.stack import Stack


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
    if found.record:
        yield "made by", f"tomoinr {found.record.command}"
        yield from _versions(found.record.provenance)


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
        yield from _versions(made)
    for line in result["warnings"]:
        yield "warning", str(line)


def _versions(made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """With what it was made, and where."""
    for section in ("versions", "machine"):
        yield section, ", ".join(f"{name} {was}" for name, was in made[section].items())
