"""Text files of people and programs, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tomoinr.errors import TomoinrError

LARGEST, MOST = 4 << 20, 100_000  # bytes and lines: more is no list of images


def lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1; whatever is no text in UTF-8 is marked as such."""
    large = TomoinrError(f"{path}: too large to be {what}")
    if path.stat().st_size > LARGEST:
        raise large
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if number > MOST:
                raise large
            yield number, line.strip()
