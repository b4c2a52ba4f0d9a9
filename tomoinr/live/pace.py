"""How fast a run goes, and how much longer it takes."""

from __future__ import annotations

from collections import deque

from tomoinr.data import Record

RECENT = 3.0  # seconds (or three steps) over which speed is told
SOON = 2.0  # seconds before which the time left is anybody's guess
LATER = 0.5  # of the time so far: the later part tells best what is to come


class Pace:
    """Speed and time left, from records as they come."""

    def __init__(self) -> None:
        self._recent: deque[Record] = deque()
        self._course: deque[tuple[float, float]] = deque()  # seconds, part of the work done
        self._begun: float | None = None
        self.last: Record | None = None

    def take(self, record: Record) -> None:
        """After a step."""
        if self.last is None or record.stage != self.last.stage or record.step < self.last.step:
            self._recent.clear()
        if self.last is None or record.step < self.last.step:
            self._course.clear()
            self._begun = record.seconds
        self.last = record
        self._recent.append(record)
        self._course.append((record.seconds, done(record)))
        while len(self._recent) > 3 and record.seconds - self._recent[1].seconds > RECENT:
            self._recent.popleft()
        later = self._begun + LATER * (record.seconds - self._begun) if self._begun else 0.0
        while len(self._course) > 2 and self._course[1][0] < later:
            self._course.popleft()

    @property
    def speed(self) -> float | None:
        """Steps a second, lately and in this stage."""
        if len(self._recent) < 2:
            return None
        first, last = self._recent[0], self._recent[-1]
        seconds = last.seconds - first.seconds
        return (last.step - first.step) / seconds if seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds to the last step planned; none where there is nothing to tell it from."""
        if self.last is None or self._begun is None or not done(self.last):
            return None
        (then, before), (now, so_far) = self._course[0], self._course[-1]
        if now - self._begun < SOON or so_far <= before:
            return 0.0 if so_far >= 1 else None
        return (1 - so_far) * (now - then) / (so_far - before)


def done(record: Record) -> float:
    """The part of the work that is done (0 to 1); 0 where it is unknown."""
    if record.part is not None:
        return record.part
    return min(1.0, record.step / record.of) if record.of else 0.0
