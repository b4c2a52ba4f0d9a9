"""What is happening, for people: a bar in a terminal or a notebook, lines in a log file."""

from __future__ import annotations

from rich.console import Console

from tomoinr.live.faces import face_for
from tomoinr.live.moment import Moment
from tomoinr.live.watch import Watch


class Progress(Watch):
    """An observer that tells stages, speed, losses, motion of the poses, and the time left.

    `with Progress() as progress: reconstruct(series, observers=[progress])` also tells what has no
    steps; without `with`, it is there from the first step to the last. Of several ranks one
    `speaks`.
    """

    def __init__(self, speaks: bool = True, console: Console | None = None) -> None:
        super().__init__(speaks)
        console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        console.quiet = console.quiet or not speaks
        self._face = face_for(console)

    def tell(self, line: str) -> None:
        """One line that stays."""
        self._face.tell(line)

    def _open(self) -> None:
        self._face.open()

    def _show(self, moment: Moment) -> None:
        self._face.show(moment)

    def _close(self, how: str) -> None:
        self._face.close(Moment(how, self._pace.last))
