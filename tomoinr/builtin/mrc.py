"""MRC files: image stacks in, stacks and volumes out.

Sections, rows and columns of a file are the images [tilt, y, x] of a stack, rows upwards as in
IMOD. A volume [y, z, x] is written with y as sections (order `imod`), or turned by a quarter about
x so that sections run along the beam (order `xyz`): neither mirrors anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tomoinr.builtin.mrc_extended import Told, read_extended
from tomoinr.builtin.mrc_header import Header, read_header
from tomoinr.builtin.mrc_packed import SUFFIXES, Opened, opened_by
from tomoinr.builtin.mrc_titles import tilt_axis
from tomoinr.builtin.mrc_writing import write_stack, write_volume
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.hookspecs import hookimpl
from tomoinr.stack import Stack

READ = (".mrc", ".st", ".ali", ".rec", ".mrcs")
WRITTEN = READ


@hookimpl
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | None:
    """An MRC image stack, known by its first bytes; images are read when they are asked for."""
    if not path.is_file():
        return None
    name = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    named_mrc = name.suffix.lower() in READ
    opened = opened_by(path, named_mrc)
    if opened is None:
        return None
    with opened() as file:
        header = read_header(path, file, named_mrc, pixel_size)
        if header is None:
            return None
        told = read_extended(file, header.claims)
    image = partial(_image, path, opened, header)
    axis, notes = tilt_axis(name, header.claims, told)
    return Stack(
        str(path),
        header.shape,
        header.dtype,
        image,
        told.angles,
        header.pixel_size or told.pixel_size,
        axis,
        notes=(*header.notes, *_sources(header, told), *notes),
    )


@hookimpl
def tomoinr_write(path: Path, value: TiltSeries | Reconstruction, order: str) -> bool | None:
    """An image stack or a volume, 32-bit (16-bit from 16-bit floats), with provenance in titles."""
    if path.suffix.lower() not in WRITTEN:
        return None
    if isinstance(value, TiltSeries):
        write_stack(path, value)
    else:
        write_volume(path, value, order)
    return True


def _image(path: Path, opened: Opened, header: Header, index: int) -> np.ndarray:
    """One image (rows, columns), as the file holds it; never mapped: a cut file cannot kill."""
    images, rows, columns = header.shape
    image = np.empty(rows * columns, header.dtype)
    with opened() as file:
        file.seek(header.offset + range(images)[index] * image.nbytes)
        got = file.readinto(image.view(np.uint8))  # type: ignore[attr-defined]
    if got != image.nbytes:
        raise TomoinrError(f"{path}: the file was cut short while it was read; copy it again")
    return image.reshape(rows, columns)


def _sources(header: Header, told: Told) -> Iterator[str]:
    """What is taken from an extended header, and what is not."""
    if told.angles:
        yield f"its {told.kind} header holds tilt angles"
    if told.pixel_size:
        if header.pixel_size is None:
            yield f"pixel size of {told.pixel_size:g} Å from its {told.kind} header"
        elif not math.isclose(told.pixel_size, header.pixel_size, rel_tol=0.01):
            yield f"the pixel size of {told.pixel_size:g} Å in its {told.kind} header is not used"
    yield from told.notes
