"""What the program says besides its results: how much, and where to. Results go to stdout."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.errors import TomoinrError, reason
from tomoinr.teams.launch import launched

LOGGER = logging.getLogger("tomoinr")
TOLD = logging.getLogger("tomoinr.told")  # what a terminal shows anyway
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
PANEL = "What is said"


class Talk:
    """What was asked for on the command line."""

    quiet = False
    verbose = 0
    log_file: Path | None = None


def begin() -> None:
    """As if nothing had been asked for."""
    Talk.quiet, Talk.verbose, Talk.log_file = False, 0, None
    _apply()


def silent() -> bool:
    """Whether nothing but results and errors is wanted."""
    return Talk.quiet


def say(line: str) -> None:
    """A line for people, unless none is wanted; of several ranks one speaks."""
    TOLD.info(line)
    if not (Talk.quiet or _rank()):
        typer.echo(line, err=True)


def add_options(command: Any) -> Any:
    """A command, or all commands of a group, with -q, -v and --log-file."""
    for inner in getattr(command, "commands", {}).values():
        add_options(inner)
    if not hasattr(command, "commands"):
        command.params += options()
    for parameter in command.params:
        flag = getattr(parameter, "is_flag", False) or getattr(parameter, "count", False)
        if flag and parameter.metavar is None:
            parameter.metavar = ""  # newer Typers would have it <bool>, as if it took a value
    return command


def options(hidden: bool = False) -> list[Any]:
    """-q, -v and --log-file, which every command has, before its name or after."""
    app = typer.Typer(add_completion=False)
    app.command()(_options)
    found: Any = typer.main.get_command(app)
    for option in found.params:
        option.hidden = hidden
    return list(found.params)


def _asked(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> None:
    """Called by the parser with what was given, or the default."""
    if value and not context.resilient_parsing:
        setattr(Talk, str(parameter.name), value)
        _apply()


def _option(*names: str, **more: Any) -> Any:
    return typer.Option(
        *names,
        callback=_asked,
        expose_value=False,
        rich_help_panel=PANEL,
        show_default=False,
        **more,
    )


def _options(
    quiet: Annotated[bool, _option("-q", "--quiet", help="Only results and errors.")] = False,
    verbose: Annotated[
        int,
        _option(
            "-v",
            "--verbose",
            count=True,
            help="What is read, chosen, written; -vv: everything.",
        ),
    ] = 0,
    log_file: Annotated[
        Path | None, _option("--log-file", help="Keep what is said in a file, with times.")
    ] = None,
) -> None:
    """Carries the options to where they are read; never called."""


def _apply() -> None:
    for handler in list(LOGGER.handlers):
        if not isinstance(handler, logging.NullHandler):
            LOGGER.removeHandler(handler)
            handler.close()
    handlers = [_shown()] + ([_kept(Talk.log_file)] if Talk.log_file and not _rank() else [])
    for handler in handlers:
        LOGGER.addHandler(handler)
    LOGGER.setLevel(min(handler.level for handler in handlers))


def _shown() -> logging.Handler:
    """For people: in colour in a terminal, plain lines elsewhere; of several ranks one speaks."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    quiet = Talk.quiet or _rank() > 0
    handler.setLevel(logging.ERROR if quiet else LEVELS[min(Talk.verbose, len(LEVELS) - 1)])
    handler.addFilter(lambda record: record.name != TOLD.name)
    return handler


def _kept(file: Path) -> logging.Handler:
    """For later: whatever is said, and what would be with -v."""
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise TomoinrError(f"{file}: no log can be kept there: {reason(error)}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.DEBUG if Talk.verbose > 1 else logging.INFO)
    return handler


def _rank() -> int:
    return launched(os.environ).rank
