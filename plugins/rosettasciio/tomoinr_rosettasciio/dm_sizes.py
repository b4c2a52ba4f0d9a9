"""Sizes that a DM3 or DM4 file tells of its images, looked up before anything is laid out for them.

Tags are numbers, or groups of tags; counts have four bytes in DM3 and eight in DM4. What cannot be
followed is left to rosettasciio to tell.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

Order = Literal["little", "big"]  # of values; counts are always big-endian
GROUP, VALUE, MARK = 20, 21, b"%%%%"
STRUCT, TEXT, ARRAY = 15, 18, 20
BYTES = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}
DEEPEST, MOST = 40, 1 << 14  # groups in groups; numbers that describe one value


def pixels_told(path: Path) -> int:
    """Pixels of the largest image that the file tells of."""
    with path.open("rb") as file:
        wide = file.read(4) == b"\0\0\0\4"
        file.seek(12 if wide else 8)
        order: Order = "little" if file.read(4) == b"\0\0\0\1" else "big"
        largest = 0
        try:
            for sizes in _dimensions(file, ">q" if wide else ">i", order, "", 0):
                largest = max(largest, math.prod(sizes))
        except (struct.error, KeyError, IndexError, ValueError, OSError):
            pass
        return largest


def _dimensions(
    file: BinaryIO, count: str, order: Order, name: str, depth: int
) -> Iterator[list[int]]:
    """The numbers in each group called Dimensions, of this group and those inside it."""
    if depth > DEEPEST:
        raise ValueError("groups are too deep")
    file.seek(2, 1)
    numbers: list[int] = []
    for _ in range(_next(file, count)):
        kind, length = struct.unpack(">BH", file.read(3))
        inner = file.read(length).decode("latin-1")
        file.seek(8 if count == ">q" else 0, 1)
        if kind == GROUP:
            yield from _dimensions(file, count, order, inner, depth + 1)
        elif kind == VALUE:
            number = _value(file, count, order, wanted=name == "Dimensions")
            numbers += [] if number is None else [number]
        else:
            raise ValueError("neither a group nor a value")
    if numbers:
        yield numbers


def _value(file: BinaryIO, count: str, order: Order, wanted: bool) -> int | None:
    """A whole number that is wanted; others are passed over."""
    if file.read(4) != MARK:
        raise ValueError("no value where there should be one")
    described = _next(file, count)
    if not 0 < described < MOST:
        raise ValueError("a value of no known kind")
    info = [_next(file, count) for _ in range(described)]
    length = _length(info)
    if length < 0:
        raise ValueError("a value of less than nothing")
    if wanted and described == 1 and length <= 8:
        return int.from_bytes(file.read(length), order)
    file.seek(length, 1)
    return None


def _length(info: list[int]) -> int:
    """Bytes of a value, by what describes it."""
    if info[0] == STRUCT:
        return sum(BYTES[field] for field in info[4::2])
    if info[0] == TEXT:
        return 2 * info[1]
    if info[0] == ARRAY and info[1] == STRUCT:
        return info[-1] * sum(BYTES[field] for field in info[5:-1:2])
    return info[-1] * BYTES[info[1]] if info[0] == ARRAY else BYTES[info[0]]


def _next(file: BinaryIO, count: str) -> int:
    number: int = struct.unpack(count, file.read(struct.calcsize(count)))[0]
    return number
