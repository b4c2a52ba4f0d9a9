"""`tomoinr report`: a result's page made again, and figures for papers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tomoinr.cli.given import Force
from tomoinr.cli.progress import Progress
from tomoinr.data import Reconstruction
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError, reason
from tomoinr.io import check_folder

FILE = "report.html"


def report(
    folder: Annotated[Path, typer.Argument(help="A result's folder.")],
    png: Annotated[Path | None, typer.Option(help="Folder for figures as PNG, for papers.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="File for all figures, as PDF.")] = None,
    force: Force = False,
) -> None:
    """Make report.html again, from the files in a result's folder; figures too, if asked.

    What the folder does not hold is left out, and named. report.html itself is always replaced.
    """
    from tomoinr.report import figure_names, write, write_pdf, write_png  # scipy: only when used

    if not folder.is_dir():
        raise TomoinrError(f"{folder}: no folder with a result; give what --out named")
    if png:
        check_folder(png, figure_names(), force)
    if pdf:
        check_folder(pdf.parent, (pdf.name,), force)
    with Progress() as progress:
        content = write(folder, force=True)
        for line in content.missing:
            progress.tell(f"not in the report: {line}")
        progress.tell(f"wrote {folder / FILE} ({_size(folder)})")
        if png:
            names = write_png(png, content, force)
            progress.tell(f"wrote {', '.join(names)} in {png}")
        if pdf:
            progress.tell(f"wrote {write_pdf(pdf, content, force)}")


def report_on(folder: Path, result: Reconstruction | None, progress: Progress) -> None:
    """The page of a run that has just ended; its failure is one line, for the result is safe.

    Without a result, or if it fails, that of an earlier result goes.
    """
    from tomoinr.report import write

    begun = time.perf_counter()
    try:
        (folder / FILE).unlink(missing_ok=True)
        if result is None:
            return
        with doing(f"writing {FILE}"):
            write(folder, result)
    except Exception as error:
        progress.tell(f"no {FILE}: {reason(error)}; the result is whole")
        return
    progress.tell(
        f"wrote {FILE} in {folder} ({_size(folder)}, {time.perf_counter() - begun:.1f} s)"
    )


def _size(folder: Path) -> str:
    return f"{(folder / FILE).stat().st_size / 1e6:.1f} MB"
