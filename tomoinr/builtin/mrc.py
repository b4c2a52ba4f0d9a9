"""MRC files: image stacks in, stacks and volumes out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import mrcfile
import numpy as np

from tomoinr.builtin.mrc_header import Header, read_header
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.hookspecs import hookimpl
from tomoinr.stack import Stack
from tomoinr.version import __version__

READ = (".mrc", ".st", ".ali", ".rec", ".mrcs")
WRITTEN = (".mrc", ".st", ".mrcs")


@hookimpl
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | None:
    """An MRC image stack, known by its first bytes; images are read when they are asked for."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        header = read_header(path, file, path.suffix.lower() in READ, pixel_size)
    if header is None:
        return None
    image = partial(_image, path, header)
    return Stack(str(path), header.shape, header.dtype, image, pixel_size=header.pixel_size)


@hookimpl
def tomoinr_write(path: Path, value: TiltSeries | Reconstruction, order: str) -> bool | None:
    """An image stack or a volume, 32-bit, with pixel size and provenance in the header."""
    if path.suffix.lower() not in WRITTEN:
        return None
    if isinstance(value, TiltSeries):
        images = _only_channel(value.images.cpu().numpy())
        _write(path, images, value.pixel_size, "tilt series [tilt, y, x]", stack=True)
    else:
        array, axes = in_order(_only_channel(value.voxels), order)
        _write(path, array, value.grid.spacing, f"volume, order {order} {axes}", stack=False)
    return True


def in_order(voxels: np.ndarray, order: str) -> tuple[np.ndarray, str]:
    """A volume [y, z, x] in the order named, and its axes in words.

    `xyz` is a quarter turn about x, so it mirrors nothing. Of the two turns it is the one that
    keeps rows as they are in the images: out[k, j, i] = voxels[j, nz - 1 - k, i].
    """
    if order == "imod":
        return voxels, "[y, z, x]"
    if order == "xyz":
        return np.rot90(voxels, 1, axes=(0, 1)), "[-z, y, x]"
    raise TomoinrError(f"no order of a volume is called '{order}'; there are imod, xyz")


def _image(path: Path, header: Header, index: int) -> np.ndarray:
    """One image (rows, columns), as the file holds it."""
    rows, columns = header.shape[1:]
    count = rows * columns
    start = header.offset + index * count * header.dtype.itemsize
    values = np.fromfile(path, header.dtype, count, offset=start)
    if values.size != count:
        raise TomoinrError(f"{path}: the file was cut short while it was read; copy it again")
    return values.reshape(rows, columns)


def _only_channel(array: np.ndarray) -> np.ndarray:
    """[…] of [1, …] (or of an array that has no channel axis)."""
    if array.ndim == 3:
        return array
    if len(array) != 1:
        raise TomoinrError(f"an MRC file holds one channel, not {len(array)}; save one at a time")
    return array[0]


def _write(path: Path, array: np.ndarray, spacing: float, contents: str, stack: bool) -> None:
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(array.astype(np.float32, copy=False))
        if stack:
            mrc.set_image_stack()
        mrc.voxel_size = spacing  # only now: before the data it would be lost
        mrc.header.nlabl = 0  # in place of a dated one, so that equal data give equal bytes
        mrc.header.label[:] = b""
        mrc.add_label(f"tomoinr {__version__}")
        mrc.add_label(contents)
