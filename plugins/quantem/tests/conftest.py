"""Blobs seen in images, quantEM's files as it writes them, and a stand-in for its dataset."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Poses, place
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.testing.specimens import blobs

BLOSC = {
    "name": "blosc",
    "configuration": {"cname": "zstd", "clevel": 4, "shuffle": "bitshuffle"},
}
GRID = Grid((13, 15, 18), 2.5)


def make_problem(grid: Grid = GRID, channels: int = 1, **pose: Any) -> Problem:
    """Noiseless images by formula, 25 views; `pose` as `Poses.of` takes it."""
    tilts = torch.linspace(-72, 72, 25)
    poses, shape = Poses.of(tilts, **pose), (25, grid.shape[0], grid.shape[2])
    rays = place(poses, shape, grid.spacing).rays(Pixels.rows(shape))
    images = blobs(grid, 2.0).integral(rays)[:channels]
    names = ("a", "b")[:channels]
    volume, fixed = Voxels(Voxels.Options(), grid, channels), Fixed(NoOptions(), poses, grid)
    series = TiltSeries(images, tilts, grid.spacing, names)
    return Problem(series, grid, volume, fixed, Slices(Slices.Options(), grid))


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """Makes a problem."""
    return make_problem


@dataclass
class Dataset:
    """What is used of quantEM's Dataset3d."""

    array: np.ndarray
    name: str
    sampling: Any
    units: list[str]
    origin: Any = (0.0, 0.0, 0.0)
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_array(cls, array: np.ndarray, **told: Any) -> Dataset:
        """As quantEM makes it."""
        return cls(array, **told)

    def numpy(self) -> np.ndarray:
        """The values."""
        return self.array


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[Dataset]:
    """In place of quantEM's class."""
    monkeypatch.setattr("tomoinr_quantem.datasets.part", lambda module, name: Dataset)
    return Dataset


def write_dataset(
    root: zarr.Group,
    images: np.ndarray,
    units: tuple[str, ...] = ("index", "nm", "nm"),
    sampling: tuple[float, ...] = (1, 0.2, 0.2),
    origin: tuple[float, ...] = (0, 0, 0),
    metadata: dict[str, Any] | None = None,
    chunks: Any = "auto",
) -> None:
    """A Dataset3d, by zarr alone; lists of numbers are arrays one level down, as there."""
    root.attrs["_autoserialize"] = {"version": 1, "class_name": "Dataset3d"}
    root.create_array("_array", data=images, compressors=[BLOSC], chunks=chunks)
    for name, values in (("_sampling", sampling), ("_origin", origin)):
        root.create_array(name, data=np.asarray(values, np.float64))
    told = {"_container_type": "list", **{str(i): unit for i, unit in enumerate(units)}}
    root.create_group("_units").attrs.update(told)
    kept = root.create_group("_metadata")
    for name, value in (metadata or {}).items():
        if isinstance(value, list):
            kept.create_group(name).create_array("values", data=np.asarray(value))
        elif isinstance(value, np.ndarray):
            kept.create_array(name, data=value)
        else:
            kept.attrs[name] = value


def zipped(folder: Path) -> Path:
    """The same, as one file."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return target


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Saves a dataset as quantEM does: `saved(images, as_zip=False, **said)`."""

    def save(images: np.ndarray, as_zip: bool = False, **said: Any) -> Path:
        write_dataset(zarr.open_group(tmp_path / "set", mode="w"), images, **said)
        return zipped(tmp_path / "set") if as_zip else tmp_path / "set"

    return save
