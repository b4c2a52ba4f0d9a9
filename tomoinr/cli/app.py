"""The program: its commands, and one line for every mistake."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

import typer
from rich.console import Console

from tomoinr.cli import align, demo, doctor, info, parts, prepare, reconstruct, report, rerun
from tomoinr.cli.exits import INTERRUPTED, Told
from tomoinr.errors import TomoinrError, reason
from tomoinr.teams import close, end
from tomoinr.teams.launch import launched
from tomoinr.version import __version__

TOGETHER = ("reconstruct", "run", "rerun", "align", "doctor")  # what several processes can share

app = typer.Typer(
    name="tomoinr",
    help="Electron tomography from one tilt series, with no training data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("simulate")(demo.simulate)
app.command("reconstruct")(reconstruct.reconstruct)
app.command("run")(reconstruct.run)
app.command("align")(align.align)
app.command("apply-poses")(align.apply_poses)
app.command("prepare")(prepare.prepare)
app.command("info")(info.info)
app.command("rerun")(rerun.rerun)
app.command("report")(report.report)
app.command("plugins")(parts.plugins)
app.command("options")(parts.options)
app.command("doctor")(doctor.doctor)


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


def main() -> None:
    """Run a command; a user's mistake ends in one line and exit code 2, never a traceback."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED and not isinstance(code, Told):  # newer Typers catch Ctrl-C
            raise KeyboardInterrupt
        close()
    except (KeyboardInterrupt, typer.Abort) as error:
        _fail("stopped", INTERRUPTED, error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{reason(error)}", 2, error)
    except TomoinrError as error:
        _fail(reason(error), 2, error)
    except (MemoryError, RuntimeError) as error:
        # torch tells of exhausted memory by a plain RuntimeError with its allocator's words
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            _crash(error)
        _fail("not enough memory; use fewer or smaller images, or a smaller --depth", 2, error)
    except Exception as error:
        # Typer's own usage errors: newer versions bring their click along, older ones import it,
        # so there is no class to name; all of them can format their message.
        if not hasattr(error, "format_message"):
            _crash(error)
        _fail(" ".join(error.format_message().split()), 2, error)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, error: BaseException) -> NoReturn:
    message = end(message, code, error)
    if message:  # none after the help that a bare command prints, or from all ranks but one
        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        console.print(f"tomoinr: {message}")
    sys.exit(code)


def _crash(error: Exception) -> NoReturn:
    """Our own mistake: all there is to know, and an end for the other ranks too."""
    _fail("".join(traceback.format_exception(error)), 1, error)
