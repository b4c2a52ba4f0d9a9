"""The first 1024 bytes of an MRC file, believed only as far as they agree with the file's size."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from tomoinr.builtin.mrc_claims import NUMBERS, SIZE, Claims, claims_of
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Shape

# Cells (Å) that programs write when they do not know the pixel size.
PLACEHOLDERS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
ENDIAN = {"<": "little-endian", ">": "big-endian"}


@dataclass(frozen=True)
class Header:
    """What an image stack needs: [section, row, column] numbers from byte `offset` on.

    `pixel_size` in Å, `None` where the header does not say; `notes` tell what is odd.
    """

    claims: Claims
    pixel_size: float | None
    notes: tuple[str, ...]

    @property
    def shape(self) -> Shape:
        """(sections, rows, columns)."""
        columns, rows, sections = self.claims.sizes
        return sections, rows, columns

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers in the file, with their byte order."""
        return self.claims.dtype

    @property
    def offset(self) -> int:
        """Where the images begin."""
        return SIZE + self.claims.extended


def read_header(
    path: Path, file: IO[bytes], named_mrc: bool, pixel_size: float | None
) -> Header | None:
    """The header of a sound MRC file; `None` when neither content nor name speaks of MRC.

    A `pixel_size` (Å) given is believed in place of the header's, whatever that says.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    raw = file.read(SIZE)
    readings = claims_of(raw)
    exact = [c for c in readings if c.usable and c.file_size == length]
    ours = named_mrc or raw[208:211] == b"MAP"
    if ours and len(raw) < SIZE:
        raise TomoinrError(
            f"{path}: has {length} bytes, fewer than the {SIZE} of an MRC header: it is cut short; "
            "copy it again"
        )
    if ours and not readings:
        raise TomoinrError(
            f"{path}: its first {SIZE} bytes are no usable MRC header; it is damaged or no MRC file"
        )
    if not ours and not exact:
        return None
    claims = (exact or readings)[0]
    _check(path, claims, length)
    size = pixel_size or _pixel_size(path, claims)
    return Header(claims, size, tuple(_oddities(claims, length)))


def _check(path: Path, claims: Claims, length: int) -> None:
    if claims.mode not in NUMBERS:
        modes = ", ".join(map(str, NUMBERS))
        raise TomoinrError(
            f"{path}: MRC mode {claims.mode} cannot be read; convert it to one of {modes}"
        )
    if not claims.usable or claims.file_size > length:
        pixels = " × ".join(map(str, claims.sizes))
        raise TomoinrError(
            f"{path}: the header tells of {pixels} pixels and a file of {claims.file_size} bytes, "
            f"but it has {length}: it is cut short or damaged; copy it again"
        )
    axes = claims.ints(64, 3)
    if axes not in ((1, 2, 3), (0, 0, 0)):
        raise TomoinrError(f"{path}: axes are stored in the order {axes}; it must be (1, 2, 3)")


def _oddities(claims: Claims, length: int) -> Iterator[str]:
    """What is against the standard, and how it is understood."""
    if not claims.marked:
        yield "the header lacks the mark MAP"
    elif claims.stamped != claims.order:
        yield f"the machine stamp is wrong: the numbers are {ENDIAN[claims.order]}"
    if more := length - claims.file_size:
        yield f"{more} bytes after the images are not read"
    if claims.space_group:
        yield f"the header tells of a volume (space group {claims.space_group}): read as images"
    if claims.unsigned_bytes:
        yield f"bytes are read as 0 to 255: {claims.unsigned_bytes}"


def _pixel_size(path: Path, claims: Claims) -> float | None:
    """Cell / samples in Å; `None` when the header does not say, for which programs write 1."""
    cell = claims.floats(40, 3)
    if cell in PLACEHOLDERS:
        return None
    samples = (m or n for m, n in zip(claims.ints(28, 2), claims.sizes, strict=False))
    x, y = (length / count for length, count in zip(cell, samples, strict=False))
    if not all(1e-3 <= p <= 1e6 for p in (x, y)):
        raise TomoinrError(
            f"{path}: pixels of {x:g} × {y:g} Å in the header; they must be above zero and "
            "plausible: give the right size in Å (--pixel-size, in Python pixel_size=)"
        )
    if not math.isclose(x, y, rel_tol=0.01):
        raise TomoinrError(
            f"{path}: pixels of {x:g} × {y:g} Å in the header, but only square ones can be used; "
            "if they are square, give their size (--pixel-size, in Python pixel_size=)"
        )
    return None if x == y == 1 else float(f"{x:.7g}")  # cells are 32-bit: 1.3399999 was 1.34
