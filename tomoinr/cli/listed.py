"""Every command: its panel, where its code is, and a line for the list; imported when called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from tomoinr.cli.talk import add_options


class Listed(NamedTuple):
    """A command as the list shows it; `place` is its module and function."""

    name: str
    place: str
    summary: str


PANELS = {
    "Start": (
        Listed("demo", "demo:demo", "See it work: simulate a specimen, reconstruct, compare."),
        Listed("reconstruct", "reconstruct:reconstruct", "Reconstruct a tilt series: all in one."),
        Listed("info", "info:info", "Tell what a file holds, and what looks wrong."),
        Listed("view", "view:view", "Look at a stack, a volume or a result."),
    ),
    "Reconstruct": (
        Listed("recipe", "recipe:app", "Write a recipe with every option; check one."),
        Listed("run", "reconstruct:run", "Carry out a recipe."),
        Listed("rerun", "rerun:rerun", "Repeat a result; say what has changed since."),
        Listed("align", "align:align", "Find poses and write an aligned stack, without a volume."),
    ),
    "Data": (
        Listed("prepare", "prepare:prepare", "Bin, crop and correct images."),
        Listed("convert", "convert:convert", "Write a stack or a volume in another format."),
        Listed("apply-poses", "align:apply_poses", "Move and turn images as known poses say."),
        Listed("simulate", "demo:simulate", "Make a tilt series of a phantom, and its truth."),
    ),
    "Judge": (
        Listed("choose", "choose:choose", "Let held-out images choose among representations."),
        Listed("compare", "compare:compare", "Score volumes against a truth, or each other."),
        Listed("report", "report:report", "Make a result's page again, and figures for papers."),
    ),
    "Learn": (
        Listed("plugins", "parts:plugins", "List the parts there are to choose from."),
        Listed("options", "parts:options", "List every option of a part."),
        Listed("doctor", "doctor:doctor", "Say what this machine offers, and what is wrong."),
    ),
}
PLACES = {row.name: row.place for rows in PANELS.values() for row in rows}


class Commands(TyperGroup):
    """Lists commands by name alone; imports the one that is called, or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words name, in full."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and load(str(name)), rest


def enlist(app: typer.Typer) -> None:
    """Put every command on the list, without its code."""
    for panel, rows in PANELS.items():
        for row in rows:
            app.command(row.name, help=row.summary, rich_help_panel=panel)(_not_yet)


def load(name: str) -> Any:
    """A command with its options, from its module."""
    module, _, function = PLACES[name].partition(":")
    found: Any = getattr(import_module(f"tomoinr.cli.{module}"), function)
    command = typer.main.get_command(found if isinstance(found, typer.Typer) else _alone(found))
    command.name = name
    return add_options(command)


def _alone(function: Callable[..., Any]) -> typer.Typer:
    """A program of one command."""
    app = typer.Typer(add_completion=False, context_settings=SETTINGS)
    app.command()(function)
    return app


SETTINGS = {"help_option_names": ["-h", "--help"]}


def _not_yet() -> None:
    """Stands for a command on the list."""
