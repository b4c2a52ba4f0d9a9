"""Whether a Zarr array can be what it says, and is all there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import zarr

from tomoinr.errors import TomoinrError
from tomoinr_formats.doubts import check_axes, check_numbers, check_size

METADATA = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")


def check_array(path: Path, array: zarr.Array, ours: bool) -> tuple[str, ...]:
    """Refuse what cannot be; note pieces that are not stored. `ours`: all of them must be."""
    check_numbers(path, array.dtype)
    check_axes(path, array.shape, (2, 3, 4, 5))
    codecs = _codecs(path, array)
    pieces = [file for file in (path / array.path).rglob("*") if file.name not in METADATA]
    pieces = [file for file in pieces if file.is_file()]
    sizes = [file.stat().st_size for file in pieces]
    chunks = array.shards or array.chunks
    check_size(path, max(array.nbytes, math.prod(chunks) * array.dtype.itemsize), sum(sizes))
    if "blosc" in codecs and not array.shards:
        _check_blosc(path, pieces)
    every = math.prod(-(-n // chunk) for n, chunk in zip(array.shape, chunks, strict=True))
    if len(sizes) >= every:
        return ()
    if ours or not sizes:
        raise TomoinrError(
            f"{path}: {len(sizes)} of the {every} pieces of its array are there; copy it again"
        )
    return (f"{every - len(sizes)} of {every} pieces are not stored and read as the fill value",)


def _codecs(path: Path, array: zarr.Array) -> str:
    """How pieces are packed; pickled values are refused: to unpack them is to run what they say."""
    told = array.metadata.to_dict()
    codecs = str([told.get(name) for name in ("codecs", "filters", "compressor")]).lower()
    if "pickle" in codecs:
        raise TomoinrError(f"{path}: holds pickled values, which are not safe to read")
    return codecs


def _check_blosc(path: Path, pieces: Iterable[Path]) -> None:
    """Blosc reads as far as its header says, though the piece may end before."""
    for piece in pieces:
        with piece.open("rb") as file:
            head = file.read(16)
        if len(head) < 16 or int.from_bytes(head[12:], "little") > piece.stat().st_size:
            name = piece.relative_to(path)
            raise TomoinrError(f"{path}: its piece {name} is cut short or damaged; copy it again")
