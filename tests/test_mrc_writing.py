"""MRC files as they are written: every byte of the header, and what others make of them."""

import math
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tomoinr.builtin import mrc
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.geometry import Grid, Poses
from tomoinr.io import load, save
from tomoinr.plugins import Plugins
from tomoinr.stack import in_order
from tomoinr.version import __version__

PLUGINS = Plugins(mrc, installed=False)


def series(pixel_size: float = 1.34, tilt_axis: float = 0.0) -> TiltSeries:
    images = torch.arange(24.0).reshape(3, 4, 2)
    return TiltSeries(
        images, torch.tensor([-40.0, 0.0, 40.0]), pixel_size, source="/a/t\nëst.mrc",
        tilt_axis=tilt_axis,
    )  # fmt: skip


def volume(
    dtype: type = np.float32, centre: tuple[float, float, float] = (0, 0, 0)
) -> Reconstruction:
    voxels = (np.arange(24) - 3).reshape(2, 3, 4).astype(dtype)
    poses = Poses.of(series().angles)
    recipe = {
        "seed": 3,
        "volume": {"name": "siren"},
        "solver": {"name": "joint"},
        "run": {"seed": 0},
    }
    return Reconstruction(voxels, Grid((2, 3, 4), 2.0, centre), poses, (), series(), recipe)


def expected(
    sizes: tuple[int, int, int], mode: int, deep: int, pixel: float, group: int,
    origin: tuple[float, ...], values: np.ndarray, titles: tuple[str, ...],
) -> bytes:  # fmt: skip
    """A header from the standard's table, written with nothing but `struct`."""
    columns, rows, _ = sizes
    cell = (columns * pixel, rows * pixel, deep * pixel, 90, 90, 90)
    raw = bytearray(1024)
    struct.pack_into("<10i6f3i", raw, 0, *sizes, mode, 0, 0, 0, columns, rows, deep, *cell, 1, 2, 3)
    exact = values.astype(np.float64)
    struct.pack_into("<3f2i", raw, 76, exact.min(), exact.max(), exact.mean(), group, 0)
    struct.pack_into("<i", raw, 108, 20141)
    struct.pack_into("<3f4s4sfi", raw, 196, *origin, b"MAP ", b"DD\0\0", exact.std(), len(titles))
    for i, title in enumerate(titles):
        raw[224 + 80 * i : 224 + 80 * i + len(title)] = title.encode("ascii")
    return bytes(raw)


def test_every_byte_of_a_stack(tmp_path: Path) -> None:
    path = save(tmp_path / "stack.st", series(1.34, -3.25), plugins=PLUGINS)
    titles = (
        f"tomoinr {__version__}", "tilt series [tilt, y, x]", "from t?st.mrc",
        "Tilt axis angle = -3.25",
    )  # fmt: skip
    values = np.arange(24.0)
    header = expected((2, 4, 3), 2, 1, 1.34, 0, (0, 0, 0), values, titles)
    assert path.read_bytes() == header + values.astype("<f4").tobytes()


@pytest.mark.parametrize(("dtype", "mode"), [(np.float32, 2), (np.float16, 12), (np.float64, 2)])
def test_every_byte_of_a_volume(tmp_path: Path, dtype: type, mode: int) -> None:
    path = save(tmp_path / "volume.rec", volume(dtype), plugins=PLUGINS)
    titles = (
        f"tomoinr {__version__}", "volume, order imod [y, z, x]", "from t?st.mrc",
        "volume siren, solver joint",
    )  # fmt: skip
    values = np.arange(24.0) - 3
    header = expected((4, 3, 2), mode, 2, 2.0, 1, (-3, -2, -1), values, titles)
    assert path.read_bytes() == header + values.astype("<f2" if mode == 12 else "<f4").tobytes()


def test_the_origin_is_where_the_first_voxel_lies(tmp_path: Path) -> None:
    """Of the voxel written first: its place in the grid, along the file's own axes."""
    made = volume(centre=(10.0, 20.0, 30.0))
    x, y, z = made.grid.points()[0, 0, 0].tolist()
    top = made.grid.points()[0, -1, 0].tolist()[2]
    for order, first in (("imod", (x, z, y)), ("xyz", (x, y, -top))):
        with mrcfile.open(
            save(tmp_path / f"{order}.mrc", made, order=order, plugins=PLUGINS)
        ) as file:
            assert file.header.origin.item() == pytest.approx(first)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_is_written_is_valid_and_reproducible(tmp_path: Path, dtype: type) -> None:
    save(tmp_path / "a.mrc", volume(dtype), plugins=PLUGINS)
    save(tmp_path / "b.mrc", volume(dtype), plugins=PLUGINS)
    save(tmp_path / "stack.mrc", series(), plugins=PLUGINS)
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
    for name, group in (("a.mrc", 1), ("stack.mrc", 0)):
        assert mrcfile.validate(tmp_path / name)
        with mrcfile.open(tmp_path / name) as file:
            assert file.header.ispg == group
            assert file.is_image_stack() == (group == 0)
            assert float(file.voxel_size.x) == pytest.approx(float(file.voxel_size.z))


def test_statistics_stay_exact_far_from_zero(tmp_path: Path) -> None:
    voxels = (1e6 + np.random.default_rng(0).normal(size=(5, 6, 7))).astype(np.float32)
    path = save(tmp_path / "a.mrc", replace(volume(), voxels=voxels), plugins=PLUGINS)
    with mrcfile.open(path) as file:
        assert float(file.header.dmean) == pytest.approx(voxels.astype(np.float64).mean())
        assert float(file.header.rms) == pytest.approx(voxels.astype(np.float64).std(), rel=1e-5)


def test_what_is_not_finite_is_written_as_it_is(tmp_path: Path) -> None:
    voxels = volume().voxels.copy()
    voxels[0, 0, :2] = np.inf, np.nan
    path = save(tmp_path / "a.mrc", replace(volume(), voxels=voxels), plugins=PLUGINS)
    assert path.read_bytes()[1024:] == voxels.tobytes()


def test_the_tilt_axis_comes_back(tmp_path: Path) -> None:
    for suffix in (".mrc", ".ali"):
        path = save(tmp_path / f"a{suffix}", series(tilt_axis=12.5), force=True, plugins=PLUGINS)
        assert load(path, plugins=PLUGINS).tilt_axis == 12.5


@given(
    shape=st.tuples(st.integers(2, 4), st.integers(1, 6), st.integers(1, 6)),
    half=st.booleans(),
    order=st.sampled_from(["imod", "xyz"]),
    pixel=st.floats(0.05, 5000),
    seed=st.integers(0, 99),
)
def test_volumes_are_read_by_mrcfile_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    half: bool,
    order: str,
    pixel: float,
    seed: int,
) -> None:
    voxels = np.random.default_rng(seed).normal(size=shape)
    voxels = voxels.astype(np.float16 if half else np.float32)
    made = replace(volume(), voxels=voxels, grid=Grid(shape, pixel))
    path = save(tmp_path_factory.mktemp("any") / "a.mrc", made, order=order, plugins=PLUGINS)
    with mrcfile.open(path) as file:
        assert file.data.dtype == voxels.dtype
        assert np.array_equal(file.data, in_order(voxels, order)[0])
        assert math.isclose(file.voxel_size.z, pixel, rel_tol=1e-6)


def test_no_second_array_is_needed_to_write(tmp_path: Path) -> None:
    voxels = np.ones((64, 128, 128), np.float32)  # 4 MiB
    made = replace(volume(), voxels=voxels, grid=Grid(voxels.shape, 1.0))
    tracemalloc.start()
    try:
        save(tmp_path / "a.mrc", made, order="xyz", plugins=PLUGINS)
        assert tracemalloc.get_traced_memory()[1] < voxels.nbytes / 4
    finally:
        tracemalloc.stop()
