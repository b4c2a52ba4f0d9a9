"""Datasets that quantEM saved (`dataset.save`): a Zarr 3 folder, or a ZIP file of one.

Read is a Dataset3d, or the one in a Bundle: [image, row, column] with the tilt axis along the rows,
from left to right; values as they are. Tilt angles (degrees) are in its metadata as `tilt_angles`,
or in its first axis if that is in degrees, or in the bundle as `tilt_angles` or `angles`. Anything
else that quantEM saves is pickled by torch, and to read that is to run it: it is refused.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import ZipStore

from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.stack import Stack
from tomoinr_quantem.calibration import Calibration
from tomoinr_quantem.frames import TILT_AXIS
from tomoinr_quantem.pieces import check_pieces

MARK = "_autoserialize"
VERSION = 1
ANGLES = ("tilt_angles", "angles")
LARGEST = 8 << 20  # bytes of the text that tells what a file is


def read(path: Path, pixel_size: float | None) -> Stack | None:
    """The images of a dataset, unpacked when they are asked for; `None`: nothing of quantEM's."""
    if not _is_saved(path):
        return None
    with told_plainly(f"{path}: cannot be read"):
        store: Any = path if path.is_dir() else ZipStore(path, mode="r")
        root = zarr.open_group(store, mode="r")
        group = _dataset(path, root)
        array = _member(group, "_array")
        if array is None:
            raise TomoinrError(
                f"{path}: its values are a tensor, pickled by torch, which is not safe to read; "
                "load it with quantEM and give it to tomoinr_quantem.series_of"
            )
        shape, notes = check_pieces(path, array)
        told = _told(root, group)
        return Stack(
            str(path),
            shape,
            array.dtype,
            _images(path, array),
            told.angles(shape[0]),
            told.pixel_size(str(path), pixel_size),
            TILT_AXIS + told.tilt_axis,
            notes=notes,
        )


def _is_saved(path: Path) -> bool:
    """Whether quantEM's mark is there, in a folder or a ZIP file."""
    try:
        if path.is_dir():
            text = (path / "zarr.json").read_bytes()
        else:
            with path.open("rb") as file:
                if file.read(4) != b"PK\x03\x04":
                    return False
            with zipfile.ZipFile(path) as archive, archive.open("zarr.json") as member:
                text = member.read(LARGEST)
        return MARK in json.loads(text).get("attributes", {})
    except (OSError, KeyError, ValueError, AttributeError, zipfile.BadZipFile):
        return False


def _dataset(path: Path, root: zarr.Group) -> zarr.Group:
    """The one dataset: what was saved, or its only member with three axes."""
    told: Any = root.attrs[MARK]
    if told.get("version", VERSION) != VERSION:
        raise TomoinrError(f"{path}: saved in a version of quantEM's format that is not known")
    kind = str(told.get("class_name"))
    members = [group for _, group in root.groups() if MARK in group.attrs]
    found = [root] if kind.startswith("Dataset") else [g for g in members if _is_stack(g)]
    if len(found) != 1:
        raise TomoinrError(
            f"{path}: holds a {kind} with {len(found)} stacks of images; save the Dataset3d that "
            "is meant, or load it with quantEM and give it to tomoinr_quantem.series_of or "
            "volume_of"
        )
    return found[0]


def _is_stack(group: zarr.Group) -> bool:
    return getattr(_member(group, "_array"), "ndim", 0) == 3


def _member(group: zarr.Group, name: str) -> zarr.Array | None:
    """An array, as quantEM writes arrays and lists of numbers."""
    found = group.get(name)
    found = found.get("values") if isinstance(found, zarr.Group) else found
    return found if isinstance(found, zarr.Array) else None


def _told(root: zarr.Group, group: zarr.Group) -> Calibration:
    """What the dataset says of itself, and the bundle of its angles."""
    metadata: Any = group.get("_metadata")
    places = [(metadata, "tilt_angles")] if isinstance(metadata, zarr.Group) else []
    places += [(root, name) for name in ANGLES]
    listed = (found for where, name in places if (found := _member(where, name)) is not None)
    angles = next(listed, None)
    units: Any = group["_units"].attrs
    told = Calibration(
        origin=_numbers(group, "_origin"),
        sampling=_numbers(group, "_sampling"),
        units=tuple(str(units[key]) for key in sorted(set(units) - {"_container_type"})),
        listed=None if angles is None else angles[:],
    )
    own: Any = metadata.attrs.get("tilt_axis", 0.0) if isinstance(metadata, zarr.Group) else 0.0
    return replace(told, tilt_axis=float(own))


def _numbers(group: zarr.Group, name: str) -> tuple[float, ...]:
    found = _member(group, name)
    values = () if found is None else np.asarray(found[:], np.float64).tolist()
    return tuple(values)


def _images(path: Path, array: zarr.Array) -> Callable[[int], np.ndarray]:
    """One image at a time; those that are packed together are unpacked once."""
    together = array.chunks[0]

    @lru_cache(maxsize=1)
    def block(number: int) -> np.ndarray:
        with told_plainly(f"{path}: image {number * together} cannot be read"):
            return np.asarray(array[number * together : (number + 1) * together])

    return lambda i: block(i // together)[i % together]
