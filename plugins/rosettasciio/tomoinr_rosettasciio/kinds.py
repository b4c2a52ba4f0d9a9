"""Which of rosettasciio's formats a file is in: by its first bytes, else by its suffix.

MRC, TIFF, NumPy, Zarr and HDF5 files, and the EMD files of tomviz and Berkeley, are others'
business, and so are single pictures and mere spectra.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tomoinr.errors import TomoinrError

HDF5 = b"\x89HDF\r\n\x1a\n"
SLACK = 64  # bytes by which the size that a DM file tells may miss that of the file


@dataclass(frozen=True)
class Kind:
    """A format: rosettasciio's module, how its files begin, and whether values are unpacked."""

    module: str
    first: bytes = b""
    plain: bool = False


DM, VELOX = Kind("digitalmicrograph", plain=True), Kind("emd", HDF5)
SUFFIXES = {
    ".dm3": DM,
    ".dm4": DM,
    ".bcf": Kind("bruker", b"AAMVHFSS"),
    ".ser": Kind("tia", b"II\x97\x01", plain=True),
    ".emi": Kind("tia"),
    ".hspy": Kind("hspy", HDF5),
    ".nxs": Kind("nexus", HDF5),
    ".de5": Kind("emd", HDF5),
    ".blo": Kind("blockfile", b"IMGBLO", plain=True),
    ".mib": Kind("quantumdetector", b"MQ1", plain=True),
    ".tvips": Kind("tvips", b"\0\1\0\0", plain=True),
    ".unf": Kind("semper", plain=True),
    ".prz": Kind("pantarhei", b"PK"),
    ".rpl": Kind("ripple"),
    ".pts": Kind("jeol"),
    ".spd": Kind("edax"),
}


def kind_of(path: Path) -> Kind | None:
    """The format; `None`: not a file of ours."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        first = file.read(24)
    kind = SUFFIXES.get(path.suffix.lower())
    if _is_dm(first, path.stat().st_size if kind is not DM else None):
        return DM
    if first.startswith(HDF5) and kind is None:
        return VELOX if _is_velox(path) else None
    if kind is DM or (kind and not first.startswith(kind.first)):
        raise TomoinrError(
            f"{path}: does not begin as a {path.suffix} file does; it is damaged, or something else"
        )
    return kind


def _is_dm(first: bytes, size: int | None) -> bool:
    """Version, size (where it is to be checked) and byte order, all big-endian."""
    for version, layout in ((3, ">iii"), (4, ">iqi")):
        if len(first) >= struct.calcsize(layout):
            told, length, order = struct.unpack_from(layout, first)
            fits = size is None or abs(length - size) <= SLACK
            if told == version and order in (0, 1) and fits:
                return True
    return False


def _is_velox(path: Path) -> bool:
    """Whether an HDF5 file is laid out as Velox does."""
    try:
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path, "r") as file:
            return "Version" in file and _has_images(file.get("Data"))
    except (ImportError, OSError, RuntimeError):  # a damaged file is its own reader's to tell
        return False


def _has_images(data: Any) -> bool:
    return hasattr(data, "keys") and ("Image" in data or "SpectrumImage" in data)
