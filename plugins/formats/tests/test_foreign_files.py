"""Files as other programs lay them out, made with their libraries alone."""

import os
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from tomoinr.errors import TomoinrError
from tomoinr.io import describe, load, open_stack
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("TOMOINR_DATA", ROOT.parent / "shared" / "data"))
IMAGES = np.random.default_rng(0).random((4, 5, 6), np.float32)
ANGLES = (-40.0, -10.0, 15.0, 41.5)


def numbers(stack: Stack) -> np.ndarray:
    return stack.read().numpy()


def exchange(path: Path, units: str | None = "degrees", **arrays: object) -> Path:
    """A DXchange file."""
    with h5py.File(path, "w") as file:
        for name, values in {"data": IMAGES, "theta": ANGLES, **arrays}.items():
            if values is not None:
                file[f"exchange/{name}"] = values
        if units and "exchange/theta" in file:
            file["exchange/theta"].attrs["units"] = units
    return path


@pytest.mark.skipif(
    not (DATA / "tooth.h5").exists(),
    reason="needs tooth.h5 of TomoPy's test data; name its folder in TOMOINR_DATA",
)
def test_a_real_tooth(plugins: Plugins) -> None:
    """Transmission, by the formula that TomoPy uses, and the angles of the file."""
    series = load(DATA / "tooth.h5", plugins=plugins)
    with h5py.File(DATA / "tooth.h5") as file:
        data, white, dark = (file[f"exchange/data{k}"][:] for k in ("", "_white", "_dark"))
        theta = file["exchange/theta"][:]
    white, dark = white.mean(0), dark.mean(0)
    assert np.allclose(series.images[0], (data - dark) / (white - dark), rtol=1e-5)
    assert series.shape == (181, 2, 640)
    assert series.angles.tolist() == theta.tolist()
    assert 0 < float(series.images.min()) < 0.3 < 0.9 < float(series.images.max()) < 1.3


def test_fields_are_applied_and_dead_pixels_told(tmp_path: Path, plugins: Plugins) -> None:
    dark, white = np.full((3, 5, 6), 2.0), np.full((2, 5, 6), 6.0)
    white[:, 1, 2] = 2
    stack = open_stack(exchange(tmp_path / "a.h5", data_dark=dark, data_white=white), plugins)
    assert np.allclose(numbers(stack)[0], (IMAGES - 2) / 4)
    assert "1 pixels have no flat field" in " ".join(stack.notes)
    stack = open_stack(exchange(tmp_path / "b.h5", data_dark=dark), plugins)
    assert np.allclose(numbers(stack)[0], IMAGES - 2)
    assert "no flat field" in stack.notes[0]


def test_theta_in_radians_or_missing(tmp_path: Path, plugins: Plugins) -> None:
    path = exchange(tmp_path / "a.h5", "radians", theta=np.deg2rad(ANGLES))
    assert open_stack(path, plugins).angles == pytest.approx(ANGLES)
    stack = open_stack(exchange(tmp_path / "b.h5", None), plugins)
    assert stack.angles == ANGLES
    assert "no unit" in " ".join(stack.notes)
    path = exchange(tmp_path / "c.h5", theta=None)
    assert open_stack(path, plugins).angles is None
    with pytest.raises(TomoinrError, match="no tilt angles"):
        load(path, plugins=plugins)
    with pytest.raises(TomoinrError, match="4 images but 3 angles"):
        load(exchange(tmp_path / "d.h5", theta=ANGLES[:3]), plugins=plugins)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"data": IMAGES[0]}, "three axes"),
        ({"data": IMAGES.astype(complex)}, "real numbers"),
        ({"data": np.full((4, 5, 6), b"text")}, "real numbers"),
        ({"data_white": np.ones((2, 5, 5))}, "same rows and columns"),
        ({"data_white": np.zeros((2, 5, 6))}, "nowhere brighter"),
        ({"theta": [0, 1, np.nan, 3]}, "not a finite number"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, plugins: Plugins, arrays: dict[str, object], says: str
) -> None:
    with pytest.raises(TomoinrError, match=says):
        load(exchange(tmp_path / "a.h5", **arrays), plugins=plugins)


def test_other_hdf5_is_left_to_others(tmp_path: Path, plugins: Plugins) -> None:
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file["Data/Image/1/Data"] = IMAGES
    assert plugins.read(tmp_path / "a.emd") is None


def emd(path: Path, data: np.ndarray, *scales: tuple[object, str, str]) -> h5py.File:
    file = h5py.File(path, "w")
    group = file.create_group("experiment/stem")
    group["data"] = data
    for axis, (values, name, units) in enumerate(scales, 1):
        group[f"dim{axis}"] = values
        group[f"dim{axis}"].attrs.update(name=name, units=np.bytes_(units))
    return file


def test_emd_with_its_angles_last(tmp_path: Path, plugins: Plugins) -> None:
    """[x, y, angle] in radians: the names of the axes count, not their order."""
    x, y = (np.arange(6) * 0.5, "x", "[nm]"), (np.arange(5) * 0.5, "y", "[nm]")
    angles = (np.deg2rad(ANGLES), "tilt", "[rad]")
    emd(tmp_path / "a.emd", IMAGES.transpose(2, 1, 0), x, y, angles).close()
    stack = describe(tmp_path / "a.emd", plugins=plugins)
    assert np.array_equal(numbers(stack)[0], IMAGES)
    assert stack.angles == pytest.approx(ANGLES)
    assert (stack.pixel_size, stack.tilt_axis) == (5.0, -90.0)


def test_further_scalars_of_tomviz_are_channels(tmp_path: Path, plugins: Plugins) -> None:
    scales = [(ANGLES, "angles", "[deg]"), (range(5), "y", "[n_m]"), (range(6), "x", "[n_m]")]
    with emd(tmp_path / "a.emd", IMAGES, *scales) as file:
        file["experiment/stem/data"].attrs["name"] = "HAADF"
        beside = file.create_group("experiment/stem/tomviz_scalars")
        beside["HAADF"] = h5py.SoftLink("/experiment/stem/data")
        beside["Pt"] = IMAGES + 1
    stack = open_stack(tmp_path / "a.emd", plugins)
    assert stack.channels == ("HAADF", "Pt")
    assert np.array_equal(numbers(stack), np.stack([IMAGES, IMAGES + 1]))
    assert "1 nm" in stack.notes[0]


@pytest.mark.parametrize("unit", ["nm", "\\u00B5m", "micron", "A"])
@pytest.mark.parametrize("byteorder", "<>")
def test_imagej_stacks(tmp_path: Path, plugins: Plugins, unit: str, byteorder: str) -> None:
    step = {"nm": 0.5, "A": 5.0}.get(unit, 0.0005)
    tifffile.imwrite(tmp_path / "a.tif", (IMAGES * 100).astype("u2"), imagej=True,
                     byteorder=byteorder, resolution=(1 / step,) * 2,
                     metadata={"unit": unit, "axes": "ZYX"})  # fmt: skip
    stack = open_stack(tmp_path / "a.tif", plugins)
    assert np.array_equal(numbers(stack)[0], (IMAGES * 100).astype("u2"))
    assert stack.pixel_size == pytest.approx(5, rel=1e-5)


def test_pages_one_by_one_compressed_and_with_an_ome_size(tmp_path: Path, plugins: Plugins) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for image in IMAGES:
            file.write(image, compression="zlib", contiguous=False, metadata=None)
        file.write(np.zeros((3, 3), "u1"), metadata=None)
    stack = open_stack(tmp_path / "a.tif", plugins)
    assert np.array_equal(numbers(stack)[0], IMAGES)
    assert stack.pixel_size is None
    assert "1 further series" in stack.notes[0]
    two = np.stack([IMAGES, IMAGES + 1], 1)
    tifffile.imwrite(tmp_path / "b.ome.tif", two, tile=(16, 16), compression="zlib", metadata={
        "axes": "ZCYX", "PhysicalSizeX": 0.4, "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.0004})  # fmt: skip
    stack = open_stack(tmp_path / "b.ome.tif", plugins)
    assert np.array_equal(numbers(stack), two.swapaxes(0, 1))
    assert stack.pixel_size == 4


def test_colours_are_refused(tmp_path: Path, plugins: Plugins) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 6, 3), "u1"), photometric="rgb")
    with pytest.raises(TomoinrError, match="grey"):
        open_stack(tmp_path / "a.tif", plugins)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", ">i2", "u1", "<f2", "?"])
@pytest.mark.parametrize("order", "CF")
def test_npy_of_every_kind(tmp_path: Path, plugins: Plugins, dtype: str, order: str) -> None:
    array = np.asarray(IMAGES * 9, dtype, order)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "b.npz", images=np.stack([array, array]).copy(order))
    assert np.array_equal(numbers(open_stack(tmp_path / "a.npy", plugins))[0], array)
    stack = open_stack(tmp_path / "b.npz", plugins)
    assert stack.channels == ("channel 1", "channel 2")
    assert np.array_equal(numbers(stack)[1], array)
    for i in (3, 0, 2):
        assert np.array_equal(stack.image(i)[0], array[i])


def test_npz_says_what_it_knows(tmp_path: Path, plugins: Plugins) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, angles=ANGLES, pixel_size=2.5, tilt_axis=84)
    stack = open_stack(tmp_path / "a.npz", plugins)
    assert (stack.angles, stack.pixel_size, stack.tilt_axis) == (ANGLES, 2.5, 84)
    np.savez(tmp_path / "b.npz", other=IMAGES)
    with pytest.raises(TomoinrError, match="'images'; it holds other"):
        open_stack(tmp_path / "b.npz", plugins)


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_in_its_finest_level(tmp_path: Path, plugins: Plugins, version: int) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    both = np.stack([IMAGES, IMAGES + 1])
    for name, array in (("half", both[..., ::2, ::2]), ("full", both)):
        group.create_array(name, data=array, chunks=(1, 3, 4, 4))
    axes = [{"name": "c", "type": "channel"}, {"name": "z"},
            {"name": "y", "unit": "nanometer"}, {"name": "x", "unit": "nanometer"}]  # fmt: skip
    scales = [[{"type": "scale", "scale": [1, 1, s, s]}] for s in (0.8, 0.4)]
    datasets = [{"path": path, "coordinateTransformations": scale}
                for path, scale in zip(("half", "full"), scales, strict=True)]  # fmt: skip
    told = {"multiscales": [{"axes": axes, "datasets": datasets}],
            "omero": {"channels": [{"label": "HAADF"}, {"label": "Pt"}]}}  # fmt: skip
    group.attrs.update(told if version == 2 else {"ome": told})
    stack = open_stack(tmp_path / "a.zarr", plugins)
    assert np.array_equal(numbers(stack), both)
    assert stack.channels == ("HAADF", "Pt")
    assert stack.pixel_size == 4


@pytest.mark.parametrize("version", [2, 3])
def test_plain_zarr_arrays_and_pieces_that_are_not_stored(
    tmp_path: Path, plugins: Plugins, version: int
) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(4, 5, 6), dtype="i2", chunks=(1, 5, 6), zarr_format=version
    )
    with pytest.raises(TomoinrError, match="0 of the 4 pieces"):
        open_stack(tmp_path / "a.zarr", plugins)
    array[:3] = np.arange(1, 91).reshape(3, 5, 6)
    stack = open_stack(tmp_path / "a.zarr", plugins)
    assert numbers(stack).sum() == 90 * 91 / 2
    assert stack.notes == ("1 of 4 pieces are not stored and read as the fill value",)


def test_images_are_read_one_by_one(tmp_path: Path, plugins: Plugins) -> None:
    """Opening reads next to nothing, and one image costs little more than itself."""
    big = np.zeros((40, 256, 256), np.float32)  # 10 MB, an image is 0.26 MB
    np.save(tmp_path / "a.npy", big)
    np.savez(tmp_path / "b.npz", images=big)
    tifffile.imwrite(tmp_path / "c.tif", big)
    exchange(tmp_path / "d.h5", data=big, theta=None)
    zarr.create_array(tmp_path / "e.zarr", data=big + 1, chunks=(1, 256, 256))
    for path in sorted(tmp_path.iterdir()):
        open_stack(path, plugins).image(0)  # libraries are loaded by now
        tracemalloc.start()
        assert open_stack(path, plugins).image(39).shape == (256, 256)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2e6, f"{path.name}: {peak} bytes"
