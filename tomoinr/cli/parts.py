"""`tomoinr plugins` and `tomoinr options`: what there is to choose from."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tomoinr.cli.given import Json
from tomoinr.cli.plain import tell
from tomoinr.options import describe
from tomoinr.plugins import KINDS, Part, Plugins


def plugins(as_json: Json = False) -> None:
    """List every part by kind, with the distribution that provides it, and what is broken.

    The names are what --solver, --volume, … and recipes take.
    """
    console, found = Console(soft_wrap=True), Plugins()
    if as_json:
        tell({"parts": [_listed(part) for part in found.parts()], "broken": found.problems()})
        return
    names = (Column(title, no_wrap=True) for title in ("kind", "name", "from"))
    table = Table(*names, "what it is", box=None, pad_edge=False)
    for part in found.parts():
        table.add_row(*map(escape, _listed(part).values()))
    console.print(table)
    for line in found.problems():
        console.print(f"[bold red]broken[/] {escape(line)}", highlight=False)


def options(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    name: Annotated[str, typer.Argument(help="A part's name, as `tomoinr plugins` lists it.")],
    as_json: Json = False,
) -> None:
    """Print every option of a part: type, default, meaning.

    tomoinr options solver joint
    """
    part = Plugins().find(kind, name)
    rows = describe(part.cls.Options)
    if as_json:
        told = [row._asdict() | {"required": row.default is MISSING} for row in rows]
        told = [row | {"default": None} if row["required"] else row for row in told]
        tell(_listed(part) | {"options": told})
        return
    console = Console(soft_wrap=True)
    about = _listed(part)["about"]
    console.print(f"{kind} '{name}' ({part.provider}): {about}", markup=False)
    if not rows:
        console.print("It has no options.")
        return
    table = Table(
        Column("option", no_wrap=True), "type", "default", "meaning", box=None, pad_edge=False
    )
    for row in rows:
        default = "required" if row.default is MISSING else _toml(row.default)
        table.add_row(*map(escape, (row.name, row.type, default, row.meaning)))
    console.print(table)


def _listed(part: Part) -> dict[str, str]:
    """A part in words."""
    about = (part.cls.__doc__ or "").strip().partition("\n")[0]
    return {"kind": part.kind, "name": part.name, "from": part.provider, "about": about}


def _toml(value: object) -> str:
    """As it would stand in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else "none" if value is None else str(value)
