"""Extended headers of microscopes: tilt angles, pixel size and tilt axis, image by image.

Three layouts, each a row of equal blocks, one for an image. SerialEM: 16-bit numbers, of which the
first is the tilt angle in hundredths of a degree. Agard, as older FEI programs write it: 32-bit
numbers, the tilt angle first. FEI1 and FEI2: blocks that begin with their own size, and a mask of
what is valid in them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from tomoinr.builtin.mrc_claims import SIZE, Claims

MOST = 100_000  # images; more is no tilt series
OTHERS = (b"CCP4", b"MRCO", b"HDF5")  # kinds that tell nothing of tilts
# Bytes that each flag of SerialEM stands for; the first is the tilt angle.
FLAGS = (2, 6, 4, 2, 2, 4, 2, 4, 2, 4, 2)
# Where FEI1 and FEI2 blocks hold what, and the bit of the mask that says it is valid.
MASK, VERSION, TILT, AXIS, PIXEL = 8, 68, (100, 7), (140, 12), (156, 14)
IN_RADIANS = b"4.4.0.4981\0"  # the one version of the program that wrote angles so


@dataclass(frozen=True)
class Told:
    """What an extended header of some `kind` says, if anything; degrees and Å."""

    kind: str = ""
    angles: tuple[float, ...] | None = None
    pixel_size: float | None = None
    tilt_axis: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Block:
    """The extended header, read number by number; beyond its end there is only NaN."""

    file: IO[bytes]
    claims: Claims

    def part(self, at: int, count: int) -> bytes:
        """Those of `count` bytes that lie within."""
        self.file.seek(SIZE + at)
        return self.file.read(max(0, min(count, self.claims.extended - at)))

    def number(self, at: int, code: str, order: str = "") -> float:
        """One number of a `struct` code."""
        raw = self.part(at, struct.calcsize(f"<{code}"))
        whole = len(raw) == struct.calcsize(f"<{code}")
        return struct.unpack((order or self.claims.order) + code, raw)[0] if whole else math.nan


def read_extended(file: IO[bytes], claims: Claims) -> Told:
    """What it says: nothing where there is none, or none of a kind that is known."""
    images, block = claims.sizes[2], _Block(file, claims)
    if not claims.extended or images > MOST or claims.extended_kind in OTHERS:
        return Told()
    if claims.extended_kind in (b"FEI1", b"FEI2"):
        return _fei(block, images)
    bytes_or_integers, flags_or_reals = claims.per_section
    if _are_flags(bytes_or_integers, flags_or_reals):
        return _serialem(block, images, bytes_or_integers, flags_or_reals)
    if bytes_or_integers >= 0 and flags_or_reals > 0:
        return _agard(block, images, bytes_or_integers, flags_or_reals)
    return Told()


def _are_flags(count: int, flags: int) -> bool:
    """Whether SerialEM's flags stand for just as many bytes as there are for an image."""
    known = 0 < flags < 1 << len(FLAGS)
    return known and count == sum(n for bit, n in enumerate(FLAGS) if flags >> bit & 1)


def _serialem(block: _Block, images: int, count: int, flags: int) -> Told:
    if not flags & 1:
        return Told("SerialEM")
    return _told("SerialEM", [block.number(i * count, "h") / 100 for i in range(images)])


def _agard(block: _Block, images: int, integers: int, reals: int) -> Told:
    stride, first = 4 * (integers + reals), 4 * integers
    kind = "FEI" if block.claims.titles[:1] and block.claims.titles[0][:4] == "Fei " else "Agard"
    angles = [block.number(i * stride + first, "f") for i in range(images)]
    if reals < 12:
        return _told(kind, angles)
    axis, pixel = (block.number(first + 4 * place, "f") for place in (10, 11))
    return _told(kind, angles, pixel, -axis if kind == "FEI" else axis)  # FEI turned the other way


def _fei(block: _Block, images: int) -> Told:
    kind = block.claims.extended_kind.decode()
    mask = block.number(MASK, "I", "<")
    valid = 0 if math.isnan(mask) else int(mask)
    unit = math.degrees(1) if block.part(VERSION, len(IN_RADIANS)) == IN_RADIANS else 1.0

    def first(place: tuple[int, int]) -> float:
        return block.number(place[0], "d") if valid >> place[1] & 1 else math.nan

    tilts = [block.number(at + TILT[0], "d") * unit for at in _starts(block, images)]
    angles = tilts if valid >> TILT[1] & 1 else []
    return _told(kind, angles, first(PIXEL), -unit * first(AXIS))


def _starts(block: _Block, images: int) -> Iterator[int]:
    """Where the blocks of the images begin; each says how long it is."""
    at = 0
    for _ in range(images):
        yield at
        size = block.number(at, "i")
        at = at + int(size) if size >= TILT[0] + 8 else block.claims.extended


def _told(kind: str, angles: list[float], pixel: float = math.nan, axis: float = math.nan) -> Told:
    """What is plausible of it."""
    tilts = tuple(float(f"{angle:.7g}") for angle in angles)
    sound = all(abs(angle) <= 180 for angle in tilts) and len(set(tilts)) > 1
    notes = () if sound or not tilts else (f"the tilt angles in its {kind} header are not usable",)
    return Told(kind, tilts if sound else None, _angstrom(pixel), _turn(axis), notes)


def _angstrom(pixel: float) -> float | None:
    """Metres, as FEI means it, or Å, as others took it."""
    size = pixel if 0.05 < pixel < 1e5 else pixel * 1e10
    return float(f"{size:.6g}") if 0.05 < size < 1e5 else None


def _turn(axis: float) -> float | None:
    """Degrees from -180 to 180; programs that do not know the axis write 0."""
    known = axis and abs(axis) <= 360
    return float(f"{math.remainder(axis, 360):.7g}") if known else None
