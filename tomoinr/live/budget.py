"""What watching may cost: a small part of the run's time, however long a look takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.01  # of the time


class Budget:
    """Says when the next look is due: `every` so many seconds, less often where a look is dear."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = time.monotonic() + every / 2

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._next

    @contextmanager
    def spent(self) -> Iterator[None]:
        """What happens within is counted."""
        begun = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._next = now + max(self._every, (now - begun) * (1 / SHARE - 1))
