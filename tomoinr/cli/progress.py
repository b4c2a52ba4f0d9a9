"""What is happening: a live line in a terminal, a line now and then in a log file."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.status import Status

from tomoinr.cli.talk import TOLD, silent
from tomoinr.interfaces import Problem

EVERY = 10.0  # seconds between lines where there is no terminal


class Progress:
    """Tells steps, speed and loss; of several ranks one speaks."""

    def __init__(self, speaks: bool = True) -> None:
        quiet = silent() or not speaks
        self._console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=quiet)
        self._status = Status("preparing", console=self._console)
        self._begun: tuple[int, float] | None = None  # the first step told of, and when
        self._told = time.perf_counter()

    def __enter__(self) -> Progress:
        """Show the live line, in a terminal."""
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the live line away."""
        self._status.stop()

    def tell(self, line: str) -> None:
        """One line that stays."""
        self._console.print(line, markup=False)
        TOLD.info(line)

    def stepped(self, step: int, loss: float, problem: Problem) -> None:
        """The state after a step."""
        now = time.perf_counter()
        first, begun = self._begun = self._begun or (step, now)
        speed = (step - first) / (now - begun) if now > begun else 0.0
        line = f"step {step}  loss {loss:.4g}  {speed:.1f} steps/s"
        self._status.update(line)
        if not self._console.is_terminal and now - self._told > EVERY:
            self._told = now
            self.tell(line)
