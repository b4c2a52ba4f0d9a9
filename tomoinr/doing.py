"""What is being done that has no steps to count, in plain words, for whoever shows or logs it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOGGER = logging.getLogger("tomoinr.doing")
_BUSY = ContextVar("busy", default=False)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say what begins, to the log; what is done within it says nothing."""
    if _BUSY.get():
        yield
        return
    token = _BUSY.set(True)
    LOGGER.info(what)
    try:
        yield
    finally:
        _BUSY.reset(token)
