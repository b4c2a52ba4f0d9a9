"""A team within one process: every rank is a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tomoinr.team import Team
from tomoinr.teams import threads
from tomoinr.teams.threads import ThreadTeam

__all__ = ["ThreadTeam", "together"]

T = TypeVar("T")
PATIENCE = 30.0  # seconds that a rank waits for the others


def together(size: int, work: Callable[[Team], T]) -> list[T]:
    """What each rank's work returns; one rank's error ends the others' waiting and is raised."""
    return threads.together(size, work, patience=PATIENCE)
