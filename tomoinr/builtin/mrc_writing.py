"""MRC files as they are written: section by section, the header last, when all is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from tomoinr.builtin.mrc_claims import LABEL
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.stack import in_order
from tomoinr.version import __version__

VERSION = 20141  # of the standard: year and revision
FLOAT16, FLOAT32 = np.dtype("<f2"), np.dtype("<f4")
MODES = {FLOAT16: 12, FLOAT32: 2}

Corner = tuple[float, float, float]


def write_stack(path: Path, series: TiltSeries) -> None:
    """Images [tilt, y, x] as a stack: space group 0, one section deep."""
    titles = ["tilt series [tilt, y, x]", f"from {Path(series.source).name}"]
    titles.append(f"Tilt axis angle = {series.tilt_axis:.6g}")
    images = _only_channel(series.images.cpu().numpy())
    _write(path, images, series.pixel_size, titles, None)


def write_volume(path: Path, result: Reconstruction, order: str) -> None:
    """A volume: space group 1; its origin is where the first voxel lies from the box's centre."""
    array, axes = in_order(_only_channel(result.voxels), order)
    contents = f"volume, order {order} [{', '.join(axes)}]"
    titles = [contents, f"from {Path(result.series.source).name}"]
    titles += [f"channel {name}" for name in result.series.channels if name != "signal"][:1]
    titles += _parts(result.recipe)
    _write(path, array, result.grid.spacing, titles, _corner(result.grid, order))


def _corner(grid: Grid, order: str) -> Corner:
    """Where the first voxel lies, in Å, along the file's columns, rows and sections."""
    y, z, x = (-(n - 1) / 2 * grid.spacing for n in grid.shape)
    cx, cy, cz = grid.centre
    return (cx + x, cz + z, cy + y) if order == "imod" else (cx + x, cy + y, z - cz)


def _parts(recipe: Mapping[str, object]) -> list[str]:
    """What the volume was made with, in a line; the recipe beside it says the rest."""
    tables = {kind: table for kind, table in recipe.items() if isinstance(table, Mapping)}
    named = [f"{kind} {table['name']}" for kind, table in tables.items() if "name" in table]
    return [", ".join(named)] if named else []


def _only_channel(array: np.ndarray) -> np.ndarray:
    """[…] of [1, …] (or of an array that has no channel axis)."""
    if array.ndim == 3:
        return array
    if len(array) != 1:
        raise TomoinrError(f"an MRC file holds one channel, not {len(array)}; save one at a time")
    return array[0]


def _write(
    path: Path, array: np.ndarray, spacing: float, titles: Iterable[str], corner: Corner | None
) -> None:
    """Sections one by one, so that no second array is needed; `corner` makes it a volume."""
    dtype = FLOAT16 if array.dtype == np.float16 else FLOAT32
    header = _header(array.shape, dtype, spacing, corner)
    for i, title in enumerate((f"tomoinr {__version__}", *titles)):
        header.label[i] = "".join(filter(str.isprintable, title)).encode("ascii", "replace")[:LABEL]
        header.nlabl = i + 1
    with path.open("wb") as file, np.errstate(invalid="ignore"):  # what is not finite is written
        file.seek(header.nbytes)
        header.dmin, header.dmax, header.dmean, header.rms = _write_sections(file, array, dtype)
        file.seek(0)
        file.write(header.tobytes())


def _header(
    shape: tuple[int, ...], dtype: np.dtype, spacing: float, corner: Corner | None
) -> np.recarray:
    """All that is known before the sections are; every field that is not named is zero."""
    header = np.zeros((), HEADER_DTYPE.newbyteorder("<")).view(np.recarray)
    header.nz, header.ny, header.nx = shape
    header.mode = MODES[dtype]
    header.mx, header.my = header.nx, header.ny
    header.mz = 1 if corner is None else header.nz
    header.cella = (header.mx * spacing, header.my * spacing, header.mz * spacing)
    header.cellb = (90, 90, 90)
    header.mapc, header.mapr, header.maps = 1, 2, 3
    header.ispg = 0 if corner is None else 1
    header.origin = corner or (0, 0, 0)
    header.nversion, header.map, header.machst = VERSION, b"MAP ", (0x44, 0x44, 0, 0)
    return header


def _write_sections(file: IO[bytes], array: np.ndarray, dtype: np.dtype) -> tuple[float, ...]:
    """Smallest and largest value, mean and standard deviation of what was written."""
    near, lows, highs, total, squares = 0.0, [], [], 0.0, 0.0
    for number, section in enumerate(array):
        values = np.ascontiguousarray(section, dtype)
        file.write(values.data)
        near = near if number else float(values.mean(dtype=np.float64))
        away = values.astype(np.float64) - near
        lows.append(values.min())
        highs.append(values.max())
        total += float(away.sum())
        squares += float((away * away).sum())
    mean = total / array.size
    return min(lows), max(highs), near + mean, math.sqrt(max(0.0, squares / array.size - mean**2))
