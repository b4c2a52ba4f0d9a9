"""Other signals of the specimen, as words of the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tomoinr.cli.given import DATA
from tomoinr.errors import TomoinrError

Channels = Annotated[
    list[str] | None,
    typer.Option(
        help="Another signal, as Ti=ti.mrc or Ti=ti.mrc,noise=poisson; several times for several.",
        rich_help_panel=DATA,
    ),
]
PosesFrom = Annotated[
    list[str] | None,
    typer.Option(
        help="The channel that poses are found from; else the strongest signal.",
        rich_help_panel=DATA,
    ),
]


def channel_tables(channels: Sequence[str], poses_from: Sequence[str]) -> list[dict[str, Any]]:
    """The recipe's [[data.channel]] of words of the command line: NAME=FILE[,option=value]."""
    tables = [_channel_table(text) for text in channels]
    for name in poses_from:
        own = next((table for table in tables if table["name"] == name), None)
        if own is None:
            tables.append(own := {"name": name})
        own["poses"] = True
    return tables


def _channel_table(text: str) -> dict[str, Any]:
    name, _, rest = text.partition("=")
    stack, *pairs = rest.split(",")
    if not name or not stack:
        raise TomoinrError(f"--channel '{text}': give a name and a file, as in Ti=ti.mrc")
    table: dict[str, Any] = {"name": name, "stack": stack}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            table |= tomllib.loads(f"{key} = {value}")
        except tomllib.TOMLDecodeError:
            table[key] = value
    return table
