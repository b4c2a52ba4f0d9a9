"""What there is to show at a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tomoinr.data import Record
from tomoinr.live import words
from tomoinr.live.pace import Pace, done


@dataclass(frozen=True)
class Moment:
    """The last record of a run under way, if there is one, and what is done beside its steps."""

    doing: str = ""
    record: Record | None = None
    pace: Pace = field(default_factory=Pace)
    begun: float = field(default_factory=lambda: time.monotonic())

    @property
    def title(self) -> str:
        """What is done now."""
        return self.doing or (words.stage(self.record) if self.record else "starting")

    @property
    def part(self) -> float:
        """Of the work of the run (0 to 1); 0 where it is unknown."""
        return done(self.record) if self.record else 0.0

    @property
    def since(self) -> float:
        """Seconds for which this has been so."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> str:
        """Time to go, by now; or for how long it has been so where nobody knows."""
        if self.record:
            return words.left(self.record, self.pace, self.since)
        return words.duration(self.since) if self.since >= 1 else ""

    @property
    def figures(self) -> str:
        """Steps, speed, losses, motion of the poses."""
        if not self.record:
            return ""
        told = words.steps(self.record), *words.figures(self.record, self.pace)
        return ", ".join(told)

    @property
    def line(self) -> str:
        """For a log, which knows the time."""
        if self.doing or not self.record:
            return self.title
        return words.line(self.record, self.pace)
