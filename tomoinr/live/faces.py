"""Where progress is shown: a terminal, a notebook, a file."""

from __future__ import annotations

import atexit
import time
from html import escape
from threading import Timer
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tomoinr.live.moment import Moment

LINE = 10.0  # seconds between lines in a file
WORTH = 2.0  # seconds that work without steps takes before a file is told of it
CELL = 0.5  # between changes of a notebook's cell
TICK = 4  # changes of a terminal's lines a second
BAR = 24  # characters


class Face(Protocol):
    """Shows moments; opened and closed as often as it likes."""

    def open(self) -> None:
        """Something is about to happen."""

    def show(self, moment: Moment) -> None:
        """What is so from now on."""

    def tell(self, line: str) -> None:
        """One line that stays."""

    def close(self, last: Moment) -> None:
        """Take away what does not stay; how it ended."""


def face_for(console: Console) -> Face:
    """The one that suits where this runs."""
    if console.is_jupyter:
        return NotebookFace(console)
    if console.is_terminal and not console.is_dumb_terminal and not console.quiet:
        return TerminalFace(console)
    return PlainFace(console)


class TerminalFace:
    """Two lines at the bottom that go in the end."""

    def __init__(self, console: Console) -> None:
        self._console, self._moment, self._spinner = console, Moment(), Spinner("dots")
        self._live = Live(
            console=console,
            get_renderable=self._drawn,
            refresh_per_second=TICK,
            transient=True,
            redirect_stdout=False,
        )

    def open(self) -> None:
        """A program that ends without closing leaves the cursor visible."""
        if not self._live.is_started:
            self._live.start()
            atexit.register(self._live.stop)

    def show(self, moment: Moment) -> None:
        """Drawn at the next tick."""
        self._moment = moment

    def tell(self, line: str) -> None:
        """Above the two lines."""
        self._console.print(line, markup=False)

    def close(self, last: Moment) -> None:
        """Nothing is left of it."""
        self._live.stop()
        atexit.unregister(self._live.stop)

    def _drawn(self) -> RenderableType:
        moment, row = self._moment, Table.grid(padding=(0, 1))
        title = _line(moment.title)
        if not moment.record:
            row.add_row(self._spinner, title, _line(moment.left, "dim"))
            return row
        bar = ProgressBar(1.0, moment.part, width=BAR, pulse=not moment.part)
        row.add_row(bar, f"{moment.part:4.0%}", title, _line(moment.left, "dim"))
        return Group(row, _line(moment.figures, "dim"))


class NotebookFace:
    """One output of the cell, changed in place; it stays with what it said last."""

    def __init__(self, console: Console) -> None:
        self._handle: Any = None
        self._shown = 0.0
        self._moment: Moment | None = None

    def open(self) -> None:
        """Nothing to see yet."""

    def show(self, moment: Moment) -> None:
        """Now and then, and whenever something else begins."""
        other = self._moment is None or moment.title != self._moment.title
        self._moment = moment
        if other or moment.part >= 1 or time.monotonic() - self._shown > CELL:
            self._draw(moment)

    def tell(self, line: str) -> None:
        """As cells print."""
        print(line)

    def close(self, last: Moment) -> None:
        """How it ended stays."""
        if self._moment:
            self._draw(last)
        self._handle = self._moment = None

    def _draw(self, moment: Moment) -> None:
        from IPython.display import display  # there is one: this is a notebook

        self._shown = time.monotonic()
        data = {"text/html": _html(moment), "text/plain": moment.line}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class PlainFace:
    """Lines, no control characters: at every change of what is done, and every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console, self._title, self._told = console, "", time.monotonic()
        self._timer: Timer | None = None

    def open(self) -> None:
        """Nothing to say yet."""

    def show(self, moment: Moment) -> None:
        """A line, if it is time; of work without steps, if it lasts."""
        self._forget()
        if moment.doing:
            self._timer = Timer(WORTH, self.tell, (moment.line,))
            self._timer.daemon = True
            self._timer.start()
            return
        now = time.monotonic()
        if moment.title != self._title or now - self._told > LINE:
            self._title, self._told = moment.title, now
            self.tell(moment.line)

    def tell(self, line: str) -> None:
        """One line."""
        self._console.print(line, markup=False)

    def close(self, last: Moment) -> None:
        """Lines stay."""
        self._forget()

    def _forget(self) -> None:
        """What did not last is not told of."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _line(text: str, style: str = "") -> Text:
    """As much of it as fits."""
    return Text(text, style, overflow="ellipsis", no_wrap=True)


def _html(moment: Moment) -> str:
    """In the colours of the page."""
    bar = f'<progress max="1" value="{moment.part:.4f}" style="width:14em"></progress> '
    share = f"{moment.part:.0%}"
    told = f"{bar if moment.record else ''}{share if moment.record else ''} {moment.left}"
    return (
        f'<div style="font-variant-numeric:tabular-nums"><b>{escape(moment.title)}</b> {told}'
        f'<div style="opacity:.7">{escape(moment.figures)}</div></div>'
    )
