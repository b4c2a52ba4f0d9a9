"""Reports and figures as files."""

from __future__ import annotations

from pathlib import Path

from tomoinr.data import Reconstruction
from tomoinr.io.atomic import atomic
from tomoinr.plugins import Plugins
from tomoinr.report.content import Content, gather
from tomoinr.report.page import page
from tomoinr.report.subject import read

FILE = "report.html"


def write(
    folder: str | Path,
    result: Reconstruction | None = None,
    force: bool = False,
    plugins: Plugins | None = None,
) -> Content:
    """Write report.html into a result's folder; what is not there is said in it.

    Volume and images are read from files, unless there is a `result` in memory.
    """
    folder = Path(folder)
    content = gather(read(folder, result, plugins))
    text = page(content)
    with atomic(folder / FILE, force) as path:
        path.write_text(text, "utf-8")
    return content
