"""A run's history as a table of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from tomoinr.data import Record

COLUMNS = ("step", "loss", "seconds", "stage", "validation", "moved")


def history_text(history: Iterable[Record]) -> str:
    """CSV: a row for each record, empty where something is unknown."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for r in history:
        seconds = f"{r.seconds:.6f}"
        table.writerow((r.step, r.loss, seconds, r.stage, r.validation, r.moved))
    return text.getvalue()
