"""`tomoinr view`: look at a stack, a volume or a result."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tomoinr.cli.drawn import check_picture
from tomoinr.cli.given import Angles
from tomoinr.cli.preview import preview
from tomoinr.cli.seen import Seen, look
from tomoinr.cli.window import has_display, picture, window
from tomoinr.io.atomic import atomic
from tomoinr.plugins import Plugins

REPORT = "report.html"


def view(
    file: Annotated[Path, typer.Argument(help="A tilt series, a volume, or a result's folder.")],
    angles: Angles = None,
    png: Annotated[
        Path | None, typer.Option(help="Write a picture instead; .pdf and .svg are taken too.")
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="In the terminal, even where there is a display.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier picture.")] = False,
) -> None:
    """Look at a file: in a window, in the terminal, or as a picture.

    A volume is shown in three directions and a stack image by image,
    each with a slider. Of a result's folder the report is opened in a
    browser. Without a display (on a cluster, say) the terminal shows it.
    """
    if png:
        check_picture(png, force)
    report = file / REPORT
    if report.is_file() and not png and not text and has_display():
        webbrowser.open(report.absolute().as_uri())
        typer.echo(f"opened {report}")
        return
    seen = look(file, angles, Plugins())
    if png:
        with atomic(png, force) as temporary:
            picture(seen, temporary)
        typer.echo(f"wrote {png}")
    elif text or not has_display() or not _shown(seen):
        preview(seen, Console())
        if not text:
            typer.echo("no display: this is a preview; --png FILE writes a picture", err=True)


def _shown(seen: Seen) -> bool:
    """Show a window until it is closed; not, where matplotlib has none to offer."""
    import matplotlib
    from matplotlib import pyplot

    figure, sliders = window(seen)
    if matplotlib.get_backend().lower() == "agg":
        pyplot.close(figure)
        return False
    pyplot.show(block=True)
    return bool(sliders)
