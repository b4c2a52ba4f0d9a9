"""A look at a run now and then, in a file that is replaced."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from pathlib import Path
from uuid import uuid4

import numpy as np

from tomoinr.errors import reason
from tomoinr.interfaces import Problem
from tomoinr.live.budget import Budget
from tomoinr.live.curve import Curve
from tomoinr.live.moment import Moment
from tomoinr.live.pace import done
from tomoinr.live.planes import planes
from tomoinr.live.watch import Watch, ended

LOGGER = logging.getLogger("tomoinr.live")
EVERY = 2.0  # seconds


class Glance(Watch):
    """Middle planes and losses as last seen, and the file that shows them.

    It takes a hundredth of the time. What goes wrong with it is told, and the run goes on without.
    """

    def __init__(self, path: Path, speaks: bool, every: float) -> None:
        super().__init__(speaks)
        self._path, self._budget, self._broken = path, Budget(every), False
        self._curve, self._planes = Curve(), [np.zeros((1, 1))] * 3

    @abstractmethod
    def _content(self, moment: Moment, state: str) -> bytes:
        """What the file is to hold; `state`: running, finished or stopped."""

    @property
    def _part(self) -> float:
        """Of the run's work, as of its last step."""
        return done(self._pace.last) if self._pace.last else 0.0

    @property
    def _figures(self) -> str:
        """Steps, speed, losses, motion of the poses, as of the last step."""
        return Moment("", self._pace.last, self._pace).figures

    def _open(self) -> None:
        """The first look comes with the first steps."""

    def _stepped(self, moment: Moment, problem: Problem) -> None:
        assert moment.record
        self._curve.take(moment.record)
        if self._budget.due or ended(moment.record):
            with self._budget.spent():
                self._write(moment, "running", problem)

    def _show(self, moment: Moment) -> None:
        """Work without steps: the planes are as they were."""
        self._write(moment, "running")

    def _close(self, how: str) -> None:
        """The last look stays."""
        self._write(self._moment, how)

    def _write(self, moment: Moment, state: str, problem: Problem | None = None) -> None:
        if self._broken or not self._curve:
            return
        try:
            if problem:
                self._planes = planes(problem)
            _replace(self._path, self._content(moment, state))
        except Exception as error:  # a look is not worth a run, whatever is wrong with it
            self._broken = True
            LOGGER.warning("%s: no more of it: %s", self._path, reason(error))


def _replace(path: Path, content: bytes) -> None:
    """All at once, for whoever reads it meanwhile; not worth waiting for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{uuid4().hex[:8]}{path.suffix}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
