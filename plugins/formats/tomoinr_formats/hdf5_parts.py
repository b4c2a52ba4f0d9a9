"""What the layouts of HDF5 share: data sets that can be trusted, and text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr_formats.doubts import SPARED, check_axes, check_numbers, check_size


def dataset(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """The data set of that name, if there is one."""
    found = group.get(name)
    return found if isinstance(found, h5py.Dataset) else None


def text(holder: h5py.HLObject, name: str) -> str:
    """An attribute as text; none: empty."""
    return plain(np.asarray(holder.attrs.get(name, b"")).reshape(-1)[:1])


def plain(values: Sequence[object] | np.ndarray) -> str:
    """Text of one string, which HDF5 may hold as bytes."""
    value = values[0] if len(values) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def check_images(path: Path, data: h5py.Dataset, axes: Sequence[int] = (3,)) -> None:
    """Refuse what is no stack of real numbers, or is not there as a whole."""
    check_numbers(path, data.dtype)
    check_axes(path, data.shape or (), axes)
    if data.is_virtual or data.external:
        return
    stored = data.id.get_storage_size()
    pieces = math.prod(data.chunks or (1,)) * data.dtype.itemsize
    if not stored or (data.id.get_create_plist().get_nfilters() == 0 and stored < data.nbytes):
        raise TomoinrError(
            f"{path}: '{data.name}' should hold {data.nbytes} bytes and holds {stored}; it was "
            "not written to its end"
        )
    check_size(path, max(data.nbytes, pieces), stored)


def check_list(path: Path, data: h5py.Dataset) -> np.ndarray:
    """A short list of numbers, whole in memory."""
    check_numbers(path, data.dtype)
    if data.ndim > 2 or data.nbytes > SPARED:
        raise TomoinrError(f"{path}: '{data.name}' is no list of numbers: {data.shape}")
    return np.asarray(data[()]).reshape(-1)


def new_file(path: Path) -> h5py.File:
    """A file whose headers bear checksums; HDF5 1.8 and later can read it."""
    return h5py.File(path, "w", libver=("v108", "v108"))


def fixed(words: str) -> np.bytes_:
    """Text inside its attribute: HDF5 may loop for ever in a damaged heap of free texts."""
    return np.bytes_(words.encode())


def part(path: Path, name: str, where: int | slice | tuple[int | slice, ...]) -> np.ndarray:
    """Some of a data set. HDF5 would mistake a file that is left open for its replacement."""
    with h5py.File(path, "r") as file:
        found: np.ndarray = file[name][where]
    return found
