"""HDF5 files: which of the layouts it is."""

from __future__ import annotations

from pathlib import Path

import h5py  # type: ignore[import-untyped]

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats import dxchange, emd, own_hdf5

LAYOUTS = (own_hdf5, dxchange, emd)


def read(path: Path, pixel_size: float | None) -> Stack | None:
    """The first layout that fits; the file is opened again for every image."""
    if not h5py.is_hdf5(path):
        raise TomoinrError(f"{path}: is no HDF5 file, though its name says so, or it is damaged")
    with h5py.File(path, "r") as file:
        stacks = (layout.read(path, file, pixel_size) for layout in LAYOUTS)
        return next((stack for stack in stacks if stack), None)
