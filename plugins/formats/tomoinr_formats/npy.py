"""NPY: an array [image, row, column], or [channel, image, row, column]; the tilt axis is not said.

Images are read by their place in the file, never mapped: a file that is cut short while it is in
use is an error and does not end the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.contents import named
from tomoinr_formats.doubts import check_axes, check_numbers

Read = Callable[[int, int], np.ndarray]  # (number of the first value, how many) → values


@dataclass(frozen=True)
class Header:
    """What an NPY header says, and where the values begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    offset: int

    @property
    def size(self) -> int:
        """How many bytes header and values have together."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def read(path: Path, pixel_size: float | None) -> Stack:
    """The images of an NPY file."""
    with path.open("rb") as file:
        header = read_header(path, file)
    if header.size != path.stat().st_size:
        raise TomoinrError(
            f"{path}: should have {header.size} bytes and has {path.stat().st_size}: it is cut "
            "short or damaged; copy it again"
        )

    def values(first: int, count: int) -> np.ndarray:
        place = header.offset + first * header.dtype.itemsize
        found = np.fromfile(path, header.dtype, count, offset=place)
        if found.size != count:
            raise TomoinrError(f"{path}: was cut short while it was read; copy it again")
        return found

    return stack_of(path, header, values, pixel_size)


def read_header(path: Path, file: IO[bytes]) -> Header:
    """The header of a sound stack of images; the file stands at its first value."""
    try:
        version = npy_format.read_magic(file)
        known = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
        shape, fortran, dtype = known[version](file)
    except (KeyError, ValueError) as error:
        raise TomoinrError(f"{path}: its NPY header cannot be read: it is damaged") from error
    check_numbers(path, dtype)
    check_axes(path, shape, (3, 4))
    if min(shape) < 0:
        raise TomoinrError(f"{path}: an axis of negative length: {shape}; it is damaged")
    return Header(shape, fortran, dtype, file.tell())


def stack_of(path: Path, header: Header, values: Read, pixel_size: float | None) -> Stack:
    """The stack whose values are read so."""
    several = len(header.shape) == 4
    shape = header.shape if several else (1, *header.shape)
    cut = _by_columns if header.fortran else _by_rows

    def image(i: int) -> np.ndarray:
        channels = [cut(values, shape, channel, i) for channel in range(shape[0])]
        return np.stack(channels) if several else channels[0]

    size = (shape[1], shape[2], shape[3])
    names = named(shape[0])
    return Stack(str(path), size, header.dtype, image, None, pixel_size, channels=names)


def _by_rows(values: Read, shape: tuple[int, ...], channel: int, i: int) -> np.ndarray:
    """One image of an array whose last axis is the fastest."""
    _, images, rows, columns = shape
    count = rows * columns
    return values((channel * images + i) * count, count).reshape(rows, columns)


def _by_columns(values: Read, shape: tuple[int, ...], channel: int, i: int) -> np.ndarray:
    """One image of an array whose first axis is the fastest: the whole file passes by."""
    channels, images, rows, columns = shape
    step = channels * images
    parts = (values(column * rows * step, rows * step) for column in range(columns))
    return np.stack([part[i * channels + channel :: step] for part in parts], axis=1)
