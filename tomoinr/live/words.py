"""Records in words."""

from __future__ import annotations

from collections.abc import Iterator

from tomoinr.data import Record
from tomoinr.live.pace import Pace

UNNAMED = "reconstructing"  # a stage that the solver gives no name


def stage(record: Record) -> str:
    """What the solver does."""
    return record.stage or UNNAMED


def steps(record: Record) -> str:
    """How far it is."""
    return f"step {record.step} of {record.of}" if record.of else f"step {record.step}"


def figures(record: Record, pace: Pace) -> Iterator[str]:
    """Numbers with their names: speed, losses, motion of the poses."""
    if pace.speed:
        yield f"{pace.speed:.1f} steps/s" if pace.speed >= 1 else f"{1 / pace.speed:.1f} s a step"
    yield f"loss {record.loss:.4g}"
    if record.validation is not None:
        yield f"validation {record.validation:.4g}"
    if record.moved is not None:
        yield f"poses moved {record.moved:.2g} px"


def left(record: Record, pace: Pace, since: float = 0.0) -> str:
    """Time to go, `since` so many seconds after the record; empty where it is unknown or none.

    Who watches held-out data may stop before.
    """
    if not pace.left:
        return ""
    most = "at most " if record.validation is not None else ""
    return f"{most}{duration(max(0.0, pace.left - since))} left"


def duration(seconds: float) -> str:
    """As people say it: 8 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"


def line(record: Record, pace: Pace) -> str:
    """All of it, on one line."""
    return ", ".join(
        part
        for part in (
            f"{stage(record)}: {steps(record)}",
            *figures(record, pace),
            left(record, pace),
        )
        if part
    )
