"""MRC files under gzip or bzip2, unpacked as far as their header promises and no further."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO
from weakref import finalize

from tomoinr.builtin.mrc_claims import SIZE, claims_of
from tomoinr.errors import TomoinrError

Opened = Callable[[], AbstractContextManager[IO[bytes]]]

SUFFIXES = (".gz", ".bz2")
Packed = gzip.GzipFile | bz2.BZ2File
KINDS: dict[bytes, type[Packed]] = {b"\x1f\x8b\x08": gzip.GzipFile, b"BZh": bz2.BZ2File}
IN_MEMORY = 16 << 20  # bytes; what is larger goes to a temporary file
# A file may be this large, or this many times its packed size: images shrink to a tenth at best.
LARGE, RATIO = 32 << 20, 200
SLACK = 1 << 20  # bytes that may follow the images


class Copy:
    """An unpacked copy, read by one at a time, that is closed when nobody needs it any more."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._free = file, Lock()
        finalize(self, file.close)

    @contextmanager
    def __call__(self) -> Iterator[IO[bytes]]:
        """The file, to read from."""
        with self._free:
            yield self._file


def opened_by(path: Path, named_mrc: bool) -> Opened | None:
    """What opens a file, packed or not; `None`: packed, and nothing speaks of MRC."""
    with path.open("rb") as file:
        start = file.read(3)
    kind = next((kind for magic, kind in KINDS.items() if start.startswith(magic)), None)
    if kind is None:
        return partial(_plain, path)
    with kind(path) as packed:
        try:
            raw = _read(path, packed, SIZE)
        except TomoinrError:
            if named_mrc:
                raise
            return None
        ours = named_mrc or raw[208:211] == b"MAP"
        return _copy(path, packed, raw, _promised(path, raw) + SLACK) if ours else None


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _copy(path: Path, packed: Packed, start: bytes, most: int) -> Copy:
    file = BytesIO() if most <= IN_MEMORY else TemporaryFile()  # noqa: SIM115 (the copy closes it)
    copy = Copy(file)
    file.write(start)
    while piece := _read(path, packed, min(SLACK, most + 1 - file.tell())):
        file.write(piece)
    if file.tell() > most:
        raise TomoinrError(
            f"{path}: it unpacks to more than its header promises; it is damaged or no MRC file"
        )
    return copy


def _promised(path: Path, raw: bytes) -> int:
    """Bytes of the unpacked file, which must be credible."""
    promised = max((c.file_size for c in claims_of(raw) if c.usable), default=len(raw))
    packed = path.stat().st_size
    if promised > max(LARGE, RATIO * packed):
        raise TomoinrError(
            f"{path}: its header promises {promised} bytes, but packed it has {packed}; "
            "unpack it yourself if it is sound"
        )
    return promised


def _read(path: Path, packed: Packed, count: int) -> bytes:
    try:
        return packed.read(count)
    except (EOFError, OSError, ValueError, zlib.error):
        raise TomoinrError(
            f"{path}: cannot be unpacked; it is cut short or damaged: copy it again"
        ) from None
