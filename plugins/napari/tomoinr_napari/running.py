"""A reconstruction in a thread of its own, which tells how it goes and can be cancelled."""

from __future__ import annotations

from collections.abc import Generator
from queue import Queue
from threading import Event, Thread
from typing import Any

from tomoinr import Reconstruction, Record, TiltSeries, reconstruct
from tomoinr.interfaces import Problem


class _Cancelled(Exception):
    """Leaves the loop after a step."""


class Run:
    """One reconstruction; `chosen` is what `tomoinr.reconstruct` takes."""

    def __init__(self, series: TiltSeries, **chosen: Any) -> None:
        self._series, self._chosen = series, chosen
        self._told: Queue[Record | Reconstruction | BaseException] = Queue()
        self._asked = Event()

    def cancel(self) -> None:
        """Stop after the step under way."""
        self._asked.set()

    def course(self) -> Generator[Record, None, Reconstruction | None]:
        """Records as they come; then the result, or none if it was cancelled."""
        Thread(target=self._work, daemon=True).start()
        while isinstance(told := self._told.get(), Record):
            yield told
        if isinstance(told, _Cancelled):
            return None
        if isinstance(told, BaseException):
            raise told
        return told

    def _work(self) -> None:
        try:
            found = reconstruct(self._series, observers=[self._stepped], **self._chosen)
            self._told.put(found)
        except BaseException as error:  # another thread's to raise
            self._told.put(error)

    def _stepped(self, record: Record, problem: Problem) -> None:
        if self._asked.is_set():
            raise _Cancelled
        self._told.put(record)
