"""Figures as files: PNG one by one, or a PDF of all with a first page of words."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tomoinr.io.atomic import atomic, made
from tomoinr.io.outputs import check_folder
from tomoinr.report import words
from tomoinr.report.content import Content

DPI = 300
NAMES = ("slices", "spectrum", "fsc", "course", "poses", "residuals")


def figure_names() -> tuple[str, ...]:
    """The files that `write_png` may write."""
    return tuple(f"{name}.png" for name in NAMES)


def write_png(folder: Path, content: Content, force: bool = False) -> list[str]:
    """Each figure as a PNG; the names of those that there was something for."""
    from tomoinr.report.figures import close, drawn  # matplotlib takes a second to import

    check_folder(folder, figure_names(), force)
    names = []
    with made(folder):
        for name, figure in drawn(content).items():
            with atomic(folder / f"{name}.png", force) as path:
                figure.savefig(path, dpi=DPI)
            close(figure)
            names.append(f"{name}.png")
    return names


def write_pdf(path: Path, content: Content, force: bool = False) -> Path:
    """All figures, one a page, after a page of words."""
    from matplotlib.backends.backend_pdf import PdfPages

    from tomoinr.report.figures import close, drawn, empty

    with made(path.parent), atomic(path, force) as temporary, PdfPages(temporary) as pages:
        first = empty()
        first.text(0.08, 0.95, _summary(content), va="top", family="monospace", fontsize=8)
        for figure in (first, *drawn(content).values()):
            pages.savefig(figure)
            close(figure)
    return path


def _summary(content: Content) -> str:
    """Title, warnings first, then the numbers and where they come from."""
    subject = content.subject
    lines = [f"tomoinr report: {words.title(subject)}", ""]
    lines += [f"warning: {line}" for line in words.warnings(subject)]
    lines += [f"not in this report: {line}" for line in content.missing]
    lines += [f"{tile.label}: {tile.value} ({tile.note})" for tile in words.tiles(subject)]
    lines += ["", *(f"{name}: {value}" for name, value in words.facts(subject))]
    lines += ["", *content.shown.notes, "", *words.notes(subject)]
    lines += ["", *(f"{name}: {value}" for name, value in words.origins(subject))]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 96) or [""])
