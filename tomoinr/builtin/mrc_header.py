"""The first 1024 bytes of an MRC file, believed only when they agree with the file's size."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Shape

SIZE = 1024
NUMBERS = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
# IMOD's mark, and the flag after it that says mode 0 is signed; its older files are unsigned.
IMOD, SIGNED = 1146047817, 1
# Cells (Å) that programs write when they do not know the pixel size.
PLACEHOLDERS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Header:
    """What an image stack needs: [section, row, column] numbers from byte `offset` on."""

    shape: Shape
    dtype: np.dtype
    offset: int
    pixel_size: float


@dataclass(frozen=True)
class _Claims:
    """What the bytes say, read in the order `<` or `>`, not yet believed."""

    raw: bytes
    order: str

    def ints(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{count}i", self.raw, at)

    def floats(self, at: int, count: int) -> tuple[float, ...]:
        return struct.unpack_from(f"{self.order}{count}f", self.raw, at)

    @property
    def mode(self) -> int:
        return self.ints(12, 1)[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.ints(0, 3)

    @property
    def extended(self) -> int:
        return self.ints(92, 1)[0]

    @property
    def dtype(self) -> np.dtype:
        stamp, flags = self.ints(152, 2)
        unsigned = self.mode == 0 and stamp == IMOD and not flags & SIGNED
        return np.dtype("u1" if unsigned else self.order + NUMBERS[self.mode])

    @property
    def file_size(self) -> int:
        return SIZE + self.extended + math.prod(self.sizes) * self.dtype.itemsize


def read_header(
    path: Path, file: BinaryIO, named_mrc: bool, pixel_size: float | None
) -> Header | None:
    """The header of a sound MRC file; `None` when neither content nor name speaks of MRC.

    A `pixel_size` (Å) given is believed in place of the header's, whatever that says.
    """
    raw, length = file.read(SIZE), os.fstat(file.fileno()).st_size
    claims = _claims(raw)
    ours = named_mrc or raw[208:211] == b"MAP"
    if claims and (ours or _fits(claims, length)):
        _check(path, claims, length)
        shape = claims.sizes[2], claims.sizes[1], claims.sizes[0]
        size = pixel_size or _pixel_size(path, claims)
        return Header(shape, claims.dtype, SIZE + claims.extended, size)
    if ours:
        raise TomoinrError(
            f"{path}: its first {SIZE} bytes are no usable MRC header; it is damaged or no MRC file"
        )
    return None


def _claims(raw: bytes) -> _Claims | None:
    """The bytes in the order that makes sense of mode and sizes: as stamped, little or big."""
    if len(raw) < SIZE:
        return None
    stamped = ">" if raw[212:213] == b"\x11" else "<"
    for order in dict.fromkeys((stamped, "<", ">")):
        claims = _Claims(raw, order)
        if claims.mode in range(128) and all(0 <= n < 1 << 24 for n in claims.sizes):
            return claims
    return None


def _fits(claims: _Claims, size: int) -> bool:
    """Whether the file, which need not bear the mark `MAP`, is as large as it claims to be."""
    known = claims.mode in NUMBERS and 0 not in claims.sizes and claims.extended >= 0
    return known and claims.file_size == size


def _check(path: Path, claims: _Claims, size: int) -> None:
    if claims.mode not in NUMBERS:
        modes = ", ".join(map(str, NUMBERS))
        raise TomoinrError(
            f"{path}: MRC mode {claims.mode} cannot be read; convert it to one of {modes}"
        )
    if not _fits(claims, size):
        pixels = " × ".join(map(str, claims.sizes))
        raise TomoinrError(
            f"{path}: the header tells of {pixels} pixels and a file of {claims.file_size} bytes, "
            f"but it has {size}: it is cut short or damaged; copy it again"
        )
    axes = claims.ints(64, 3)
    if axes not in ((1, 2, 3), (0, 0, 0)):
        raise TomoinrError(f"{path}: axes are stored in the order {axes}; it must be (1, 2, 3)")


def _pixel_size(path: Path, claims: _Claims) -> float:
    """Cell / samples in Å; 1 when the header does not say."""
    cell = claims.floats(40, 3)
    if cell in PLACEHOLDERS:
        return 1.0
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
    return float(f"{x:.7g}")  # cells are 32-bit: 1.3399999 was 1.34
