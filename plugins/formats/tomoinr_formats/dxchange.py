"""DXchange: `/exchange/data` [angle, row, column] with its flat and dark fields.

Rows are slices across the rotation axis, which is vertical: the tilt axis is y and the images are
taken as they are. Values are (data − dark) / (flat − dark), the means of the fields: transmission,
of which no logarithm is taken. `/exchange/theta` is in degrees unless its unit says radians; where
it is missing there are no angles, and none are made up. The detector's pixel size is not that of
the specimen, so none is read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.doubts import angles_of
from tomoinr_formats.hdf5_parts import check_images, check_list, dataset, part, text

NAME = "exchange/data"


def read(path: Path, file: h5py.File, pixel_size: float | None) -> Stack | None:
    """The corrected projections, each when it is asked for."""
    data = dataset(file, NAME)
    if data is None:
        return None
    check_images(path, data)
    axes = text(data, "axes").lower()
    if axes and not axes.startswith("theta:"):
        raise TomoinrError(f"{path}: its axes are '{axes}'; they must be theta:y:x")
    image, fields = _corrected(path, file, data)
    angles, said = _angles(path, file)
    shape, notes = data.shape, (*fields, *said)
    return Stack(str(path), shape, np.dtype("f4"), image, angles, pixel_size, 0.0, notes=notes)


def _angles(path: Path, file: h5py.File) -> tuple[tuple[float, ...] | None, tuple[str, ...]]:
    """Degrees, and what is odd about them."""
    theta = dataset(file, "exchange/theta")
    if theta is None:
        return None, ("no theta in the file",)
    unit = text(theta, "units").strip().lower()
    angles = angles_of(path, check_list(path, theta), radians=unit.startswith("rad"))
    return angles, () if unit else ("theta has no unit and is taken to be in degrees",)


def _corrected(
    path: Path, file: h5py.File, data: h5py.Dataset
) -> tuple[Callable[[int], np.ndarray], tuple[str, ...]]:
    """How an image is read, and in words what was done to it."""
    dark, flat = (_field(path, file, f"exchange/data_{name}", data) for name in ("dark", "white"))
    offset = np.float32(0) if dark is None else dark

    def less_dark(i: int) -> np.ndarray:
        return part(path, NAME, i).astype(np.float32) - offset

    if flat is None:
        note = "no flat field" if dark is None else "dark field taken off, no flat field"
        return less_dark, (note,)
    gain, notes = _gain(path, flat - offset)
    done = "divided by the flat field" + ("" if dark is None else ", dark field taken off both")
    return lambda i: less_dark(i) / gain, (done, *notes)


def _gain(path: Path, gain: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Flat − dark; pixels that the beam does not reach count like the mean of the others."""
    dead = ~(gain > 0)
    if dead.all():
        raise TomoinrError(f"{path}: its flat field is nowhere brighter than its dark field")
    if not dead.any():
        return gain, ()
    note = f"{dead.sum()} pixels have no flat field; the mean of the others is taken"
    return np.where(dead, gain[~dead].mean(), gain), (note,)


def _field(path: Path, file: h5py.File, name: str, data: h5py.Dataset) -> np.ndarray | None:
    """The mean (rows, columns) of the fields of one kind, read one by one."""
    fields = dataset(file, name)
    if fields is None or not fields.size:
        return None
    check_images(path, fields, (2, 3))
    if fields.shape[-2:] != data.shape[1:]:
        raise TomoinrError(
            f"{path}: '{name}' is {fields.shape} and the images are {data.shape}; "
            "they must have the same rows and columns"
        )
    images = (fields[i] for i in range(len(fields))) if fields.ndim == 3 else (fields[()],)
    count = len(fields) if fields.ndim == 3 else 1
    total = sum((image.astype(np.float64) for image in images), np.zeros(data.shape[1:]))
    return (total / count).astype(np.float32)
