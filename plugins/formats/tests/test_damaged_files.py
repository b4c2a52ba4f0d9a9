"""Whatever is in a file, the answer is an array or one plain line, soon and in little memory."""

import json
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import tifffile
import zarr

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import load, save
from tomoinr.plugins import Plugins

FILES = (".h5", ".emd", ".tif", ".npz", ".npy")
ANGLES = range(5)


def whole(path: Path, series: TiltSeries, plugins: Plugins) -> Path:
    if path.suffix == ".npy":
        np.save(path, series.images[0].numpy())
        return path
    return save(path, series, plugins=plugins)


def answer(path: Path, plugins: Plugins) -> str:
    """What is said of a file; nothing if it can be read. Within a second and 16 MB."""
    start = time.process_time()
    tracemalloc.start()
    try:
        load(path, ANGLES, plugins)
        said = ""
    except TomoinrError as error:
        said = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6, f"{peak} bytes"
    assert time.process_time() - start < 1
    assert "\n" not in said
    assert not said or str(path) in said
    return said


@pytest.mark.parametrize("suffix", FILES)
def test_flipped_bits(tmp_path: Path, plugins: Plugins, phantom: TiltSeries, suffix: str) -> None:
    path = whole(tmp_path / f"a{suffix}", phantom, plugins)
    content, chance = path.read_bytes(), random.Random(5)
    refused = 0
    for _ in range(60):
        raw = bytearray(content)
        for _ in range(chance.choice((1, 2, 20))):
            place = chance.choice((chance.randrange(len(raw)), chance.randrange(600)))
            raw[place] ^= 1 << chance.randrange(8)
        path.write_bytes(raw)
        refused += bool(answer(path, plugins))
    assert refused > 10


@pytest.mark.parametrize("suffix", FILES)
def test_files_cut_short(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, suffix: str
) -> None:
    path = whole(tmp_path / f"a{suffix}", phantom, plugins)
    content = path.read_bytes()
    for length in (1, 4, 8, 9, 64, 500, len(content) // 2, len(content) - 40, len(content) - 1):
        path.write_bytes(content[:length])
        assert answer(path, plugins), f"{length} of {len(content)} bytes"


@pytest.mark.parametrize("suffix", [*FILES, ".zarr"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, suffix: str, bad: float
) -> None:
    path = tmp_path / f"a{suffix}"
    phantom.images[0, 2, 3, 4] = bad
    whole(path, phantom, plugins)
    assert "image 2 holds NaN or infinite" in answer(path, plugins)


def test_what_is_called_a_zarr_and_is_none(tmp_path: Path, plugins: Plugins) -> None:
    (tmp_path / "a.zarr").write_text("hello")
    (tmp_path / "b.zarr").mkdir()
    assert "a Zarr is a folder, and this is a file" in answer(tmp_path / "a.zarr", plugins)
    assert "zarr.json, .zarray, .zgroup are not in it" in answer(tmp_path / "b.zarr", plugins)


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf])
def test_impossible_pixel_sizes(tmp_path: Path, plugins: Plugins, size: float) -> None:
    images = np.ones((5, 3, 4), np.float32)
    np.savez(tmp_path / "a.npz", images=images, pixel_size=size)
    assert "pixels of" in answer(tmp_path / "a.npz", plugins)
    assert load(tmp_path / "a.npz", ANGLES, plugins, pixel_size=2.0).pixel_size == 2.0


@pytest.mark.parametrize("shape", [(0, 3, 4), (5, 12), (60,), (5, 1, 3, 4, 1), ()])
def test_wrong_shapes(tmp_path: Path, plugins: Plugins, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", images=array)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["exchange/data"] = array
    zarr.create_array(tmp_path / "d.zarr", shape=shape, dtype="f4")
    for name in ("a.npy", "b.npz", "c.h5", "d.zarr"):
        assert answer(tmp_path / name, plugins), name


def test_pickles_are_never_opened(tmp_path: Path, plugins: Plugins) -> None:
    objects = np.array([[["x"] * 4] * 3] * 5, object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=np.ones((5, 3, 4)), angles=objects)
    zarr.create_array(tmp_path / "c.zarr", shape=(5, 3, 4), dtype="f4", zarr_format=2)[:] = 1
    told = json.loads((tmp_path / "c.zarr" / ".zarray").read_text())
    told["compressor"] = {"id": "pickle", "protocol": 4}
    (tmp_path / "c.zarr" / ".zarray").write_text(json.dumps(told))
    assert "real numbers" in answer(tmp_path / "a.npy", plugins)
    assert "allow_pickle=False" in answer(tmp_path / "b.npz", plugins)
    assert "pickle" in answer(tmp_path / "c.zarr", plugins)


def test_zip_bombs(tmp_path: Path, plugins: Plugins) -> None:
    """110 MB of zeros in 110 kB."""
    for name in ("images", "angles"):
        path = tmp_path / f"{name}.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if name == "angles":
                with archive.open("images.npy", "w") as file:
                    np.save(file, np.ones((5, 3, 4)))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                head = {"descr": "<f4", "fortran_order": False, "shape": (5, 5500, 1000)}
                np.lib.format.write_array_header_1_0(file, head)
                for _ in range(110):
                    file.write(bytes(1_000_000))
        assert path.stat().st_size < 200_000
        assert answer(path, plugins)


def test_huge_claims(tmp_path: Path, plugins: Plugins) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        head = {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**20, 2**20)}
        np.lib.format.write_array_header_1_0(file, head)
        file.write(bytes(1000))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        data = file.create_dataset(
            "exchange/data", (2**20, 2**14, 2**14), "f4", chunks=(1, 64, 64), compression="gzip"
        )
        data[0, :64, :64] = 1
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("exchange/data", (5, 2**14, 2**14), "f4")
    array = zarr.create_array(
        tmp_path / "d.zarr", shape=(2**20,) * 3, chunks=(1, 64, 64), dtype="f4"
    )
    array[0, :64, :64] = 1
    tifffile.imwrite(tmp_path / "e.tif", np.ones((5, 4, 3), "u1"), metadata=None)
    raw = (tmp_path / "e.tif").read_bytes()
    lengths = struct.pack("<HHI", 257, 4, 1), struct.pack("<HHI", 257, 4, 1)
    raw = raw.replace(lengths[0] + struct.pack("<I", 4), lengths[1] + struct.pack("<I", 2**31 - 1))
    (tmp_path / "e.tif").write_bytes(raw)
    for path in sorted(tmp_path.iterdir()):
        assert answer(path, plugins), path.name


def test_blosc_pieces_that_end_before_they_say(tmp_path: Path, plugins: Plugins) -> None:
    path = tmp_path / "a.zarr"
    blosc = numcodecs.Blosc()
    zarr.create_array(path, data=np.random.rand(5, 3, 4), zarr_format=2, compressors=blosc)
    piece = path / "0.0.0"
    piece.write_bytes(piece.read_bytes()[:-7])
    assert "0.0.0 is cut short" in answer(path, plugins)
