"""Signals as a question that may be asked between two steps; for programs, never for a library."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

NAMES = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP")


class Signals:
    """While it is entered, the first signal is remembered; a second Ctrl-C interrupts at once.

    So does the first one, as long as nobody has asked. Signals that are ignored (under nohup, say)
    are let alone.
    """

    def __init__(self) -> None:
        self._name: str | None = None
        self._heeded = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        """Take over."""
        numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
        heard = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {n: signal.signal(n, self._heard) or signal.SIG_DFL for n in heard}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put everything back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> str | None:
        """The name of the signal that asks to stop, if there was one."""
        self._heeded = True
        return self._name

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._name or not self._heeded:
                raise KeyboardInterrupt
            _say("stopping after this step; Ctrl-C again: at once, without a checkpoint")
        self._name = self._name or signal.Signals(number).name


def _say(line: str) -> None:
    """Past all buffers, which a handler may find half written."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), f"\n{line}\n".encode())


Asked = Callable[[], str | None]
"""Answers with the name of a signal (one of `NAMES`) that asks to stop, or with nothing."""
