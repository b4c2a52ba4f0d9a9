"""What every display does: follow the steps, and hear of work that has none."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tomoinr.data import Record
from tomoinr.doing import LOGGER
from tomoinr.interfaces import Problem
from tomoinr.live.moment import Moment
from tomoinr.live.pace import Pace


class Watch(ABC):
    """An observer that shows moments; `with` it, work without steps is shown as well.

    Of several ranks one `speaks`.
    """

    def __init__(self, speaks: bool = True) -> None:
        self._speaks, self._pace, self._moment, self._depth = speaks, Pace(), Moment(), 0
        self._hearing = _Hearing(self._begins)

    def __enter__(self) -> Self:
        """Show it, and listen."""
        self._depth += 1
        if self._depth == 1 and self._speaks:
            self._open()
            self._hearing.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """No more to come."""
        self._depth -= 1
        if self._depth == 0 and self._speaks:
            self._hearing.end()
            self._close("stopped" if error else "finished")

    def __call__(self, record: Record, problem: Problem) -> None:
        """The state after a step; without `with`, the last step planned is the end."""
        if self._depth == 0:
            self._open()
        self._pace.take(record)
        self._moment = Moment("", record, self._pace)
        self._stepped(self._moment, problem)
        if self._depth == 0 and ended(record):
            self._close("finished")

    def _begins(self, what: str) -> None:
        """Work without steps: amid a run, which goes on, or by itself."""
        record = self._moment.record
        amid = record if record and not ended(record) else None
        self._moment = Moment(what, amid, self._pace)
        self._show(self._moment)

    def _stepped(self, moment: Moment, problem: Problem) -> None:
        """After a step."""
        self._show(moment)

    @abstractmethod
    def _open(self) -> None:
        """Something is about to happen; may be called again."""

    @abstractmethod
    def _show(self, moment: Moment) -> None:
        """What is so from now on."""

    @abstractmethod
    def _close(self, how: str) -> None:
        """It has finished, or stopped."""


def ended(record: Record) -> bool:
    """Whether it was the last step planned."""
    return 0 < record.of <= record.step


class _Hearing(logging.Handler):
    """Listens to `tomoinr.doing`."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._heard, self._before = heard, logging.NOTSET

    def begin(self) -> None:
        """From now on."""
        self._before = LOGGER.level
        LOGGER.setLevel(logging.INFO)
        LOGGER.addHandler(self)

    def end(self) -> None:
        """No more."""
        LOGGER.removeHandler(self)
        LOGGER.setLevel(self._before)

    def emit(self, record: logging.LogRecord) -> None:
        """What begins."""
        self._heard(record.getMessage())
