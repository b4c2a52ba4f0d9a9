"""Numbers of images as people write them: `0,17-19`."""

from __future__ import annotations

from collections.abc import Iterable

from tomoinr.errors import TomoinrError

MOST = 100_000


def read_sections(given: str | Iterable[int]) -> frozenset[int]:
    """Section numbers, from 0."""
    if not isinstance(given, str):
        return frozenset(int(number) for number in given)
    found: set[int] = set()
    for part in filter(None, (text.strip() for text in given.split(","))):
        first, _, last = part.partition("-")
        try:
            start, stop = int(first), int(last or first)
        except ValueError:
            start, stop = 0, -1
        if not 0 <= start <= stop < MOST:
            raise TomoinrError(f"'{part}' is no image or range of images; write them as 0,17-19")
        found.update(range(start, stop + 1))
    return frozenset(found)
