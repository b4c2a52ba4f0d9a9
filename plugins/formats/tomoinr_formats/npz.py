"""NPZ: `images` [image, row, column] or [channel, image, row, column], and what is known of them.

`angles` (degrees), `pixel_size` (Å), `tilt_axis` (degrees counter-clockwise from y) and `channels`
(names) may be there. A volume is `voxels` [channel, …], with `order`. `software` and `contents`
say what wrote it and what it is.
"""

from __future__ import annotations

import weakref
import zipfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.contents import SOFTWARE, Contents
from tomoinr_formats.doubts import angles_of, axis_of, channels_of, check_size, square_pixels
from tomoinr_formats.npy import read_header, stack_of

STEP = 1 << 18  # bytes that are unpacked at a time
TOLD = ("angles", "pixel_size", "tilt_axis", "channels")
SMALL = 8 << 20  # bytes of what goes with the images


def read(path: Path, pixel_size: float | None) -> Stack | None:
    """The images of an NPZ file; those that are compressed are unpacked one after the other."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise TomoinrError(f"{path}: is no NPZ file, or it is cut short or damaged") from error
    files = ExitStack()
    files.enter_context(archive)
    with ExitStack() as unless_read:
        unless_read.callback(files.close)
        stack = _stack(path, archive, files, pixel_size)
        if stack is not None:
            unless_read.pop_all()
    return stack


def _stack(
    path: Path, archive: zipfile.ZipFile, files: ExitStack, pixel_size: float | None
) -> Stack | None:
    """What an archive holds; `None`: it is another kind of ZIP file."""
    held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    name = next((name for name in ("images", "voxels") if name in held), None)
    if name is None:
        if path.suffix.lower() != ".npz":
            return None
        names = ", ".join(sorted(held)) or "nothing"
        raise TomoinrError(f"{path}: must hold an array 'images'; it holds {names}")
    info = held[name]
    check_size(path, info.file_size, info.compress_size)
    stack = _images(path, files.enter_context(archive.open(info)), info, files, pixel_size)
    told = {key: _small(path, archive, held[key]) for key in TOLD if key in held}
    size = told.get("pixel_size")
    return replace(
        stack,
        angles=angles_of(path, told["angles"]) if "angles" in told else None,
        pixel_size=pixel_size if size is None else square_pixels(path, pixel_size, size.flat),
        tilt_axis=axis_of(path, told.get("tilt_axis")),
        channels=channels_of(
            told.get("channels", np.empty(0)).flat, len(stack.channels), stack.channels
        ),
    )


def _images(
    path: Path, file: IO[bytes], info: zipfile.ZipInfo, files: ExitStack, pixel_size: float | None
) -> Stack:
    """The array of images, whose file stays open where it was last read."""
    header = read_header(path, file)
    if header.size != info.file_size:
        raise TomoinrError(
            f"{path}: '{info.filename}' should have {header.size} bytes and has "
            f"{info.file_size}; it is damaged"
        )

    def values(first: int, count: int) -> np.ndarray:
        _go_to(file, header.offset + first * header.dtype.itemsize)
        raw = file.read(count * header.dtype.itemsize)
        return np.frombuffer(bytearray(raw), header.dtype, count)  # which may be written to

    weakref.finalize(values, files.close)  # once nobody can ask for an image any more
    return stack_of(path, header, values, pixel_size)


def _go_to(file: IO[bytes], place: int) -> None:
    """Forward in small steps; back only by starting again."""
    if place < file.tell():
        file.seek(0)
    while file.tell() < place and file.read(min(STEP, place - file.tell())):
        pass


def _small(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """An array that goes with the images; never a pickled one."""
    if info.file_size > SMALL:
        raise TomoinrError(f"{path}: '{info.filename}' has {info.file_size} bytes; too many")
    with archive.open(info) as file:
        found: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return found


def write(path: Path, contents: Contents) -> None:
    """Stored as it is, so that every image can be found again."""
    series = contents.angles is not None
    told: dict[str, Any] = {"channels": np.array(contents.channels)}
    told |= {"pixel_size": contents.spacing, "software": SOFTWARE, "contents": contents.title}
    told |= (
        {"images": contents.array, "angles": contents.angles, "tilt_axis": contents.tilt_axis}
        if series
        else {"voxels": np.asarray(contents.array, np.float32), "order": contents.order}
    )
    with path.open("wb") as file:  # by a file: from a name, numpy would make another
        np.savez(file, **told)
