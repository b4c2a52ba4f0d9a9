"""The program: its commands, and one line for every mistake."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from tomoinr.cli import align, demo, info, parts, prepare, reconstruct
from tomoinr.errors import TomoinrError, reason
from tomoinr.version import __version__

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
app.command("rerun")(info.rerun)
app.command("plugins")(parts.plugins)
app.command("options")(parts.options)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run a command; a user's mistake ends in one line and exit code 2, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        _fail("stopped", 130)
    except OSError as error:
        _fail(f"{error.filename}: {reason(error)}" if error.filename else reason(error), 2)
    except TomoinrError as error:
        _fail(reason(error), 2)
    except (MemoryError, RuntimeError) as error:
        # torch tells of exhausted memory by a plain RuntimeError with its allocator's words
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        _fail("not enough memory; use fewer or smaller images, or a smaller --depth", 2)
    except Exception as error:
        # Typer's own usage errors: newer versions bring their click along, older ones import it,
        # so there is no class to name; all of them can format their message.
        if not hasattr(error, "format_message"):
            raise
        _fail(" ".join(error.format_message().split()), 2)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    if message:  # none after the help that a bare command prints
        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        console.print(f"tomoinr: {message}")
    sys.exit(code)
