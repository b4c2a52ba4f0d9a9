"""A page that shows a run under way, in any browser, without a server."""

from __future__ import annotations

import base64
import time
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from tomoinr.live.curve import Drawing, Line
from tomoinr.live.glance import EVERY, Glance
from tomoinr.live.moment import Moment
from tomoinr.live.planes import NAMES, greys, png

NAME = "live.html"
WIDE, HIGH = 600, 160  # of the drawing of the losses
STALE = 60  # seconds without news, beside those that are usual, that are worth a word


class LivePage(Glance):
    """An observer that keeps live.html in a folder: slices, losses, stage, time left.

    The page loads itself anew every few seconds; what it shows takes a hundredth of the time.
    """

    def __init__(self, folder: str | Path, speaks: bool = True, every: float = EVERY) -> None:
        super().__init__(Path(folder) / NAME, speaks, every)

    def _content(self, moment: Moment, state: str) -> bytes:
        going = state == "running"
        figures = zip(NAMES, greys(self._planes), strict=True)
        drawn = self._curve.drawing()
        filled = _template().substitute(
            refresh='<meta http-equiv="refresh" content="2">' if going else "",
            name=escape(self._path.absolute().parent.name),
            state=state,
            title=escape(moment.title if going else state),
            part=f"{self._part:.4f}",
            percent=f"{self._part:.0%}",
            left=escape(moment.left) if going else "",
            figures=escape(self._figures),
            slices="".join(_figure(name, png(picture)) for name, picture in figures),
            lines=_lines(drawn),
            range=f"from {drawn.high:.3g} to {drawn.low:.3g} ({drawn.scale})",
            held=" · <b class=held>validation</b>" if drawn.validation else "",
            written=time.strftime("%H:%M:%S"),
            moment=round(1000 * time.time()),
            stale=STALE,
        )
        return filled.encode()


def _template() -> Template:
    return Template(files("tomoinr.live").joinpath("page.html").read_text("utf-8"))


def _figure(name: str, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{name}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _lines(drawn: Drawing) -> str:
    """SVG: where stages begin, the loss, the loss on data held back."""
    bars = (f'<path class="stage" d="M{x * WIDE:.1f} 0V{HIGH}"/>' for x in drawn.stages)
    lines = (("loss", drawn.loss), ("held", drawn.validation))
    return "".join((*bars, *(_path(name, line) for name, line in lines if line)))


def _path(name: str, line: Line) -> str:
    points = " ".join(f"{x * WIDE:.1f},{(1 - y) * HIGH:.1f}" for x, y in line)
    return f'<polyline class="{name}" points="{points}"/>'
