"""A run's history as tensors and text, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from tomoinr.data import Record

NUMBERS = ("step", "of", "loss", "seconds", "validation", "moved", "part")
WHOLE = ("step", "of")


def packed(history: Sequence[Record]) -> dict[str, Any]:
    """A row of numbers for each record, NaN where one is unknown; each stage's name once."""
    names = list(dict.fromkeys(record.stage for record in history))
    places = {name: place for place, name in enumerate(names)}
    rows = [[_number(getattr(record, name)) for name in NUMBERS] for record in history]
    return {
        "numbers": torch.tensor(rows, dtype=torch.float64),
        "stages": names,
        "stage": torch.tensor([places[record.stage] for record in history]),
    }


def unpacked(kept: dict[str, Any]) -> tuple[Record, ...]:
    """The history that was packed."""
    stages = [kept["stages"][place] for place in kept["stage"].tolist()]
    rows = zip(kept["numbers"].tolist(), stages, strict=True)
    return tuple(_record(numbers, stage) for numbers, stage in rows)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _record(numbers: Sequence[float], stage: str) -> Record:
    known = zip(NUMBERS, numbers, strict=True)
    told: dict[str, Any] = {name: value for name, value in known if not math.isnan(value)}
    whole = {name: int(told[name]) for name in WHOLE}
    return Record(**told | whole, stage=stage)
