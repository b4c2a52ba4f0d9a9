"""The program: its commands, and one line for every mistake."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer

from tomoinr.cli import talk
from tomoinr.cli.exits import INTERRUPTED, Told
from tomoinr.cli.listed import SETTINGS, Commands, enlist
from tomoinr.errors import TomoinrError, did_you_mean, reason
from tomoinr.teams.launch import launched
from tomoinr.teams.waiting import wait_politely
from tomoinr.version import __version__

TOGETHER = ("reconstruct", "run", "rerun", "align", "doctor")  # what several processes can share
EXAMPLES = """Try, in this order:

  tomoinr demo                    no data needed; the first picture in minutes

  tomoinr info stack.mrc          are angles and pixel size right?

  tomoinr reconstruct stack.mrc   all automatic; says what it assumes

  tomoinr view stack-tomoinr      look at it

Every command has a page of its own: tomoinr reconstruct --help"""

app = typer.Typer(
    name="tomoinr",
    cls=Commands,
    help="Electron tomography from one tilt series, with no training data.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)
enlist(app)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    name, launch = context.invoked_subcommand, launched(os.environ)
    if launch.size > 1 and name and name not in TOGETHER:
        raise TomoinrError(
            f"tomoinr {name} runs in one process, but {launch.by} started {launch.size}: start it "
            f"without; several can share {', '.join(TOGETHER)}"
        )


def run() -> int:
    """Carry out the command line; the exit code. A user's mistake is one line, and 2."""
    wait_politely(os.environ)
    talk.begin()
    program: Any = typer.main.get_command(app)
    program.params += talk.options(hidden=True)  # every command's page shows them
    try:
        code = program(standalone_mode=False)
        if code == INTERRUPTED and not isinstance(code, Told):  # newer Typers catch Ctrl-C
            raise KeyboardInterrupt
        if ending := sys.modules.get("tomoinr.teams.ending"):  # else no team was opened
            ending.close()
    except (KeyboardInterrupt, typer.Abort) as error:
        return _fail("stopped", INTERRUPTED, error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{reason(error)}", 2, error)
    except TomoinrError as error:
        return _fail(reason(error), 2, error)
    except (MemoryError, RuntimeError) as error:
        # torch tells of exhausted memory by a plain RuntimeError with its allocator's words
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            return _crash(error)
        too_large = "not enough memory; use fewer or smaller images, or a smaller --depth"
        return _fail(too_large, 2, error)
    except Exception as error:
        # Typer's own usage errors: newer versions bring their click along, older ones import it,
        # so there is no class to name; all of them can format their message.
        if not hasattr(error, "format_message"):
            return _crash(error)
        return _fail(_misused(error), 2, error)
    return code if isinstance(code, int) else 0


def _misused(error: Any) -> str:
    """A usage error on one line: what was meant, most likely, and where to read on."""
    said = " ".join(error.format_message().split())
    said = said.replace("Value error, ", "")
    if type(error).__name__ == "NoSuchOption":
        asked = error.option_name
        near = did_you_mean(asked, getattr(error, "possibilities", None) or ())
        said = f"No such option: {asked}.{near}"
    page = getattr(getattr(error, "ctx", None), "command_path", "")
    if not said or not page:
        return said
    return f"{said.rstrip('.')}; see {page} --help" if said[-1] != "?" else said


def _fail(message: str, code: int, error: BaseException) -> int:
    """Say what went wrong, on one of several ranks; the exit code."""
    if ending := sys.modules.get("tomoinr.teams.ending"):
        message = ending.end(message, code, error)
    elif launched(os.environ).rank:
        message = ""
    if message:  # none after the help that a bare command prints, or from all ranks but one
        from rich.console import Console

        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        console.print(f"tomoinr: {message}")
    return code


def _crash(error: Exception) -> int:
    """Our own mistake: all there is to know, and an end for the other ranks too."""
    return _fail("".join(traceback.format_exception(error)), 1, error)
