"""Whether an array in a folder or a ZIP file can be what it says, and is all there."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zarr

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Shape

# Images do not compress 250-fold. Small files may claim this much all the same.
RATIO, SPARED = 250, 64 << 20
HEAD = 16  # bytes, the last four of which tell how many there are


class Piece(NamedTuple):
    """A part of an array, as it is stored."""

    name: str
    size: int
    head: bytes


def check_pieces(path: Path, array: zarr.Array) -> tuple[Shape, tuple[str, ...]]:
    """The shape, and what is to be noted; what is no stack of images, or damaged, is refused."""
    if array.ndim != 3 or 0 in array.shape:
        shape = " × ".join(map(str, array.shape))
        raise TomoinrError(
            f"{path}: a tilt series has three axes (images, rows, columns), none of them empty; "
            f"this has {array.ndim}: {shape}"
        )
    if array.dtype.kind not in "biuf":
        raise TomoinrError(
            f"{path}: holds values of type '{array.dtype}', but must hold real numbers"
        )
    every = math.prod(-(-n // chunk) for n, chunk in zip(array.shape, array.chunks, strict=True))
    stored = list(_pieces(path, f"{array.path}/c/"))
    _check_sizes(path, array, stored)
    if not stored:
        raise TomoinrError(f"{path}: none of the {every} pieces of its array are there")
    missing = every - len(stored)
    note = f"{missing} of {every} pieces are not stored and read as zero"
    images, rows, columns = array.shape
    return (images, rows, columns), (note,) if missing else ()


def _check_sizes(path: Path, array: zarr.Array, stored: list[Piece]) -> None:
    """Blosc reads as far as its header says, though the piece may end before."""
    size = sum(piece.size for piece in stored)
    claimed = max(array.nbytes, math.prod(array.chunks) * array.dtype.itemsize)
    if claimed > SPARED + RATIO * size:
        raise TomoinrError(
            f"{path}: claims {claimed} bytes of images but stores {size}; it is damaged or "
            "incomplete, copy or save it again"
        )
    if "blosc" in str(array.metadata.to_dict().get("codecs")).lower():
        for piece in stored:
            told = int.from_bytes(piece.head[HEAD - 4 :], "little")
            if len(piece.head) < HEAD or told > piece.size:
                raise TomoinrError(
                    f"{path}: its piece {piece.name} is cut short or damaged; copy it again"
                )


def _pieces(path: Path, below: str) -> Iterator[Piece]:
    """All pieces of an array."""
    if path.is_dir():
        for file in (path / below).rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    head = opened.read(HEAD)
                yield Piece(str(file.relative_to(path)), file.stat().st_size, head)
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.startswith(below) and not info.is_dir():
                with archive.open(info) as opened:
                    yield Piece(info.filename, info.file_size, opened.read(HEAD))
