"""How often: every so many steps, or minutes, or never."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf

from tomoinr.errors import TomoinrError

UNITS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Pace:
    """Seconds and steps from one checkpoint to the next; the first that is over counts."""

    seconds: float = inf
    steps: float = inf

    @classmethod
    def of(cls, text: str) -> Pace:
        """From `5min`, `90s`, `2h`, a number of steps, or `never`."""
        found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(s|min|h)", text)
        if found and float(found[1]) > 0:
            return cls(seconds=float(found[1]) * UNITS[found[2]])
        if text.isdecimal() and int(text) > 0:
            return cls(steps=int(text))
        if text == "never":
            return cls()
        raise TomoinrError(
            f"checkpoints cannot be written every '{text}'; give a time (5min, 90s, 2h), a number "
            "of steps (200), or never"
        )

    def over(self, seconds: float, steps: int) -> bool:
        """Whether so much is enough."""
        return seconds >= self.seconds or steps >= self.steps
