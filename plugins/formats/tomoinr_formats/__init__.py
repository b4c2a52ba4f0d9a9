"""HDF5, EMD, TIFF, NumPy and Zarr files: known by content, then by suffix; read image by image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.hookspecs import hookimpl
from tomoinr.stack import Stack
from tomoinr_formats.contents import Contents

# Modules by name: a library is loaded once a file needs it.
FIRST_BYTES = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "npz",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
}
READ = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".emd": "hdf5",
    ".npy": "npy",
    ".npz": "npz",
    ".tif": "tiff",
    ".tiff": "tiff",
}
WRITTEN = {
    ".h5": "own_hdf5",
    ".hdf5": "own_hdf5",
    ".emd": "emd",
    ".npz": "npz",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".zarr": "ome_zarr",
}
IN_A_ZARR = ("zarr.json", ".zarray", ".zgroup")


@hookimpl
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | None:
    """A stack in one of these formats; whatever a library raises becomes one line."""
    reader = _reader(path)
    if reader is None:
        return None
    with told_plainly(f"{path}: cannot be read"):
        stack = import_module(f"tomoinr_formats.{reader}").read(path, pixel_size)
    return stack and replace(stack, image=_plainly(path, stack.image))


@hookimpl
def tomoinr_write(path: Path, value: TiltSeries | Reconstruction, order: str) -> bool | None:
    """A tilt series or a volume, in the format that the suffix names."""
    writer = WRITTEN.get(path.suffix.lower())
    if writer is None:
        return None
    import_module(f"tomoinr_formats.{writer}").write(path, Contents.of(value, order))
    return True


def _reader(path: Path) -> str | None:
    """The module for a file: by its first bytes, else by its suffix."""
    named_zarr = path.suffix.lower() == ".zarr"
    if path.is_dir():
        there = any((path / name).is_file() for name in IN_A_ZARR)
        if named_zarr and not there:
            raise TomoinrError(
                f"{path}: this folder is no Zarr: {', '.join(IN_A_ZARR)} are not in it"
            )
        return "ome_zarr" if there else None
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(8)
    known = next((reader for start, reader in FIRST_BYTES.items() if head.startswith(start)), None)
    if named_zarr and not known:
        raise TomoinrError(f"{path}: a Zarr is a folder, and this is a file")
    return known or READ.get(path.suffix.lower())


def _plainly(path: Path, image: Callable[[int], np.ndarray]) -> Callable[[int], np.ndarray]:
    """The same reading, with errors of one line."""

    def read(index: int) -> np.ndarray:
        with told_plainly(f"{path}: image {index} cannot be read"):
            return image(index)

    return read
