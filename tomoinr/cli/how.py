"""How a recipe is to be carried out: all that is asked for beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class How:
    """The options that `reconstruct` and `run` have in common."""

    steps: int | None = None
    trust: str = "quick"  # none, quick or full
    report: bool = True
    checkpoint_every: str = "5min"
    resume: bool = False
    live: bool = False
    preview: Path | None = None
    tensorboard: Path | None = None
    dry_run: bool = False
    as_json: bool = False
    force: bool = False
