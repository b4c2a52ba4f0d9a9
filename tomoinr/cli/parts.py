"""`tomoinr plugins` and `tomoinr options`: what there is to choose from."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tomoinr.options import describe
from tomoinr.plugins import KINDS, Plugins


def plugins() -> None:
    """List every part by kind, with the distribution that provides it, and what is broken."""
    console, found = Console(soft_wrap=True), Plugins()
    names = (Column(title, no_wrap=True) for title in ("kind", "name", "from"))
    table = Table(*names, "what it is", box=None, pad_edge=False)
    for part in found.parts():
        about = (part.cls.__doc__ or "").strip().splitlines()
        row = (part.kind, part.name, part.provider, about[0] if about else "")
        table.add_row(*map(escape, row))
    console.print(table)
    for line in found.problems():
        console.print(f"[bold red]broken[/] {escape(line)}", highlight=False)


def options(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    name: Annotated[str, typer.Argument(help="A part's name, as `tomoinr plugins` lists it.")],
) -> None:
    """Print every option of a part: type, default, meaning."""
    part = Plugins().find(kind, name)
    console = Console(soft_wrap=True)
    about = (part.cls.__doc__ or "").strip().splitlines()
    console.print(f"{kind} '{name}' ({part.provider}): {about[0] if about else ''}", markup=False)
    rows = describe(part.cls.Options)
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


def _toml(value: object) -> str:
    """As it would stand in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else "none" if value is None else str(value)
