"""What the first 1024 bytes of an MRC file say, in either byte order; none is believed yet."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

SIZE = 1024
NUMBERS = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
STAMPS = {b"DD": "<", b"DA": "<", b"\x11\x11": ">"}
# IMOD's mark, and its flags: mode 0 is signed (its older files are not), or holds 4-bit numbers.
IMOD, SIGNED, PACKED = 1146047817, 1, 16
LABELS, LABEL = 10, 80  # how many titles, and their length


@dataclass(frozen=True)
class Claims:
    """A header read in the order `<` or `>`."""

    raw: bytes
    order: str

    def ints(self, at: int, count: int) -> tuple[int, ...]:
        """32-bit numbers from byte `at` on."""
        return struct.unpack_from(f"{self.order}{count}i", self.raw, at)

    def floats(self, at: int, count: int) -> tuple[float, ...]:
        """32-bit numbers from byte `at` on."""
        return struct.unpack_from(f"{self.order}{count}f", self.raw, at)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Columns, rows, sections."""
        return self.ints(0, 3)

    @property
    def mode(self) -> int:
        """The kind of number; 101, as IMOD has it, where two share a byte."""
        mode = self.ints(12, 1)[0]
        return 101 if mode == 0 and self._imod & PACKED else mode

    @property
    def space_group(self) -> int:
        """0 for images, 1 for a volume."""
        return self.ints(88, 1)[0]

    @property
    def extended(self) -> int:
        """Bytes between this header and the images."""
        return self.ints(92, 1)[0]

    @property
    def extended_kind(self) -> bytes:
        """Four letters; old files have none."""
        return self.raw[104:108]

    @property
    def per_section(self) -> tuple[int, int]:
        """Two numbers that tell how the extended header is cut up."""
        return struct.unpack_from(f"{self.order}2h", self.raw, 128)

    @property
    def marked(self) -> bool:
        """Whether it bears the mark of newer files."""
        return self.raw[208:211] == b"MAP"

    @property
    def stamped(self) -> str | None:
        """The byte order that the machine stamp names."""
        return STAMPS.get(self.raw[212:214])

    @property
    def titles(self) -> tuple[str, ...]:
        """The labels that are not empty; their count in the header is not needed."""
        labels = (self.raw[224 + LABEL * i : 224 + LABEL * (i + 1)] for i in range(LABELS))
        texts = ("".join(filter(str.isprintable, label.decode("latin-1"))) for label in labels)
        return tuple(text.strip() for text in texts if text.strip())

    @property
    def unsigned_bytes(self) -> str | None:
        """Why bytes are from 0 to 255, if they are: the standard has -128 to 127."""
        if self.mode != 0:
            return None
        if self.ints(152, 1)[0] == IMOD:
            return None if self._imod & SIGNED else "as IMOD marks them"
        lowest, highest = self.floats(76, 2)
        return f"the largest is {highest:g}" if lowest >= 0 and 127 < highest <= 255 else None

    @property
    def dtype(self) -> np.dtype:
        """Of the images; the mode must be known."""
        return np.dtype("u1" if self.unsigned_bytes else self.order + NUMBERS[self.mode])

    @property
    def file_size(self) -> int:
        """Bytes of the whole file; the mode must be known."""
        return SIZE + self.extended + math.prod(self.sizes) * self.dtype.itemsize

    @property
    def plausible(self) -> bool:
        """Whether mode and sizes make sense in this byte order."""
        return self.mode in range(128) and all(0 <= n < 1 << 24 for n in self.sizes)

    @property
    def usable(self) -> bool:
        """Whether these are images that can be read."""
        return self.mode in NUMBERS and 0 not in self.sizes and self.extended >= 0

    @property
    def _imod(self) -> int:
        stamp, flags = self.ints(152, 2)
        return flags if stamp == IMOD else 0


def claims_of(raw: bytes) -> tuple[Claims, ...]:
    """Every reading of a header that makes sense, the likeliest first."""
    if len(raw) < SIZE:
        return ()
    orders = dict.fromkeys((STAMPS.get(raw[212:214], "<"), "<", ">"))
    readings = (Claims(raw, order) for order in orders)
    return tuple(claims for claims in readings if claims.plausible)
