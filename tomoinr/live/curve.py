"""The course of the losses, thinned as it grows, to be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from tomoinr.data import Record

MOST = 600  # points that are kept

Line = list[tuple[float, float]]


class Drawing(NamedTuple):
    """Lines in a box from (0, 0), the lower left, to (1, 1); `stages`: where they begin."""

    loss: Line
    validation: Line
    stages: list[float]
    low: float
    high: float
    scale: str


class Curve:
    """Losses by step; of a long run, every second, fourth, … record."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._every = self._seen = 0

    def take(self, record: Record) -> None:
        """After a step."""
        if self._records and record.step < self._records[-1].step:
            self._records.clear()  # another run
        self._seen += 1
        if self._every and self._seen % self._every:
            return
        self._records.append(record)
        if len(self._records) > MOST:
            self._records = self._records[1::2]
            self._every = 2 * max(self._every, 1)

    def __len__(self) -> int:
        return len(self._records)

    def drawing(self) -> Drawing:
        """On a logarithmic scale, if all losses are above zero."""
        losses = [(r.step, r.loss) for r in self._records]
        held = [(r.step, r.validation) for r in self._records if r.validation is not None]
        values = [v for _, v in losses + held if math.isfinite(v)] or [1.0]
        last = max((r.step for r in self._records), default=1)
        low, high = min(values), max(values)
        scale = math.log if low > 0 else float
        bottom, height = scale(low), (scale(high) - scale(low)) or 1.0

        def line(points: Iterable[tuple[int, float]]) -> Line:
            return [(step / last, (scale(v) - bottom) / height) for step, v in points]

        begun, name = [step / last for step in self._begun()], "log" if low > 0 else "linear"
        return Drawing(line(losses), line(held), begun, low, high, name)

    def _begun(self) -> list[int]:
        pairs = zip(self._records, self._records[1:], strict=False)
        return [later.step for before, later in pairs if later.stage != before.stage]
