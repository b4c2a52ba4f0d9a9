"""A specimen without symmetry goes in by every format and out by every other, and stays itself."""

from collections.abc import Callable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.io import load, save
from tomoinr.plugins import Plugins

WRITTEN = (".mrc", ".h5", ".emd", ".tif", ".npz", ".zarr")


def tomviz(path: Path, s: TiltSeries) -> None:
    """[angle, y, x] with the tilt axis along x: tomviz' x is our y, its y runs against our x."""
    _, tilts, rows, columns = s.images.shape
    data = np.empty((tilts, columns, rows), np.float32)
    for x, y in np.ndindex(columns, rows):
        data[:, columns - 1 - x, y] = s.images[0, :, y, x]
    with h5py.File(path, "w") as file:
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = np.uint32(1)
        group["data"] = data
        scales = ((s.angles, "angles", "[deg]"), (np.arange(columns), "y", "[n_m]"),
                  (np.arange(rows), "x", "[n_m]"))  # fmt: skip
        for axis, (values, name, unit) in enumerate(scales, 1):
            step = 1 if axis == 1 else s.pixel_size / 10
            group[f"dim{axis}"] = (np.asarray(values) * step).astype(np.float32)
            group[f"dim{axis}"].attrs.update(name=name, units=unit)


def dxchange(path: Path, s: TiltSeries) -> None:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = s.images[0].numpy()
        file["exchange/theta"] = s.angles.numpy()


def npy(path: Path, s: TiltSeries) -> None:
    np.save(path, s.images[0].numpy())


def npz(path: Path, s: TiltSeries) -> None:
    np.savez_compressed(path, images=s.images[0], angles=s.angles, pixel_size=s.pixel_size)


def imagej(path: Path, s: TiltSeries) -> None:
    tifffile.imwrite(path, s.images[0].numpy(), imagej=True, resolution=(10 / s.pixel_size,) * 2,
                     metadata={"unit": "nm", "axes": "ZYX"})  # fmt: skip


def mrc(path: Path, s: TiltSeries) -> None:
    with mrcfile.new(path) as file:
        file.set_data(s.images[0].numpy())
        file.set_image_stack()
        file.voxel_size = s.pixel_size


def zarr_3(path: Path, s: TiltSeries) -> None:
    array = zarr.create_array(path, data=s.images[0].numpy(), chunks=(2, 5, 6))
    array.attrs["of"] = "somebody else"


SOURCES: dict[str, tuple[str, Callable[[Path, TiltSeries], None]]] = {
    "tomviz": (".emd", tomviz), "dxchange": (".h5", dxchange), "npy": (".npy", npy),
    "npz": (".npz", npz), "imagej": (".tif", imagej), "mrc": (".mrc", mrc),
    "zarr 3": (".zarr", zarr_3),
}  # fmt: skip
SAY_ANGLES = ("tomviz", "dxchange", "npz")
SAY_PIXELS = ("tomviz", "npz", "imagej", "mrc")


def check(found: TiltSeries, wanted: TiltSeries) -> None:
    assert np.array_equal(found.images.numpy(), wanted.images.numpy())
    assert found.angles.tolist() == pytest.approx(wanted.angles.tolist(), abs=1e-5)
    assert found.pixel_size == pytest.approx(wanted.pixel_size, rel=1e-6)
    assert found.tilt_axis == pytest.approx(wanted.tilt_axis)


@pytest.mark.parametrize("target", WRITTEN)
@pytest.mark.parametrize("source", [*SOURCES, *WRITTEN])
def test_every_pair(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, source: str, target: str
) -> None:
    suffix, write = SOURCES.get(source, (source, None))
    first, second = tmp_path / f"in{suffix}", tmp_path / f"out{target}"
    if write:
        write(first, phantom)
    else:
        save(first, phantom, plugins=plugins)
    angles = None if not write or source in SAY_ANGLES else phantom.angles
    size = None if not write or source in SAY_PIXELS else phantom.pixel_size
    read = load(first, angles, plugins, size)
    check(read, phantom)
    save(second, read, plugins=plugins)
    if target != ".mrc":  # which has no room for angles
        second.with_suffix(".rawtlt").unlink()
    check(load(second, plugins=plugins), phantom)


@pytest.mark.parametrize("target", WRITTEN[1:])
def test_an_oblique_tilt_axis_comes_back(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, target: str
) -> None:
    path = tmp_path / f"out{target}"
    tilted = TiltSeries(phantom.images, phantom.angles, 3.25, tilt_axis=6.5)
    save(path, tilted, plugins=plugins)
    check(load(path, plugins=plugins), tilted)


def held(path: Path) -> tuple[np.ndarray, float]:
    """What a stranger finds: [z, y, x] as the file itself names the axes, and Å a voxel."""
    if path.suffix == ".mrc":
        with mrcfile.open(path) as file:
            return file.data.copy(), float(file.voxel_size.x)
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["voxels"][0], file.attrs["pixel_size"]
    if path.suffix == ".emd":
        with h5py.File(path) as file:
            group = file["data/tomography"]
            names = [group[f"dim{axis}"].attrs["name"].decode() for axis in (1, 2, 3)]
            order = [names.index(name) for name in "zyx"]
            return group["data"][:].transpose(order), 10 * float(np.diff(group["dim1"][:2])[0])
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            assert 'PhysicalSizeX="1.34" PhysicalSizeXUnit="Å"' in file.ome_metadata
            assert file.series[0].axes == "ZYX"
            per_cm = np.divide(*file.pages[0].tags["XResolution"].value)
            return file.asarray(), 1e8 / float(per_cm)
    if path.suffix == ".npz":
        content = np.load(path)
        return content["voxels"][0], float(content["pixel_size"])
    group = zarr.open_group(path, mode="r")
    image = group.attrs["multiscales"][0]
    assert [axis["name"] for axis in image["axes"]] == list("czyx")
    assert {axis.get("unit") for axis in image["axes"][1:]} == {"angstrom"}
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    return group["0"][0], scale[-1]


@pytest.mark.parametrize("order", ["imod", "xyz"])
@pytest.mark.parametrize("target", WRITTEN)
def test_volumes_lie_in_all_formats_as_in_mrc(
    tmp_path: Path,
    plugins: Plugins,
    volume: Callable[..., Reconstruction],
    target: str,
    order: str,
) -> None:
    """out[k, j, i] = voxels[j, nz-1-k, i]: two axes change places, one is reversed: a turn."""
    voxels = np.random.default_rng(0).random((4, 5, 6), np.float32)
    path = save(tmp_path / f"out{target}", volume(voxels), order=order, plugins=plugins)
    found, spacing = held(path)
    wanted = voxels
    if order == "xyz":
        wanted = np.empty((5, 4, 6), np.float32)
        for k, j, i in np.ndindex(wanted.shape):
            wanted[k, j, i] = voxels[j, 4 - k, i]
    assert np.array_equal(found, wanted)
    assert spacing == pytest.approx(1.34, rel=1e-6)


@pytest.mark.parametrize("target", [".h5", ".emd", ".npz", ".zarr"])
def test_channels_come_back(
    tmp_path: Path,
    plugins: Plugins,
    volume: Callable[..., Reconstruction],
    phantom: TiltSeries,
    target: str,
) -> None:
    names = ("HAADF", "Pt", "C µ")
    images = np.concatenate([phantom.images.numpy() + channel for channel in range(3)])
    series = TiltSeries(images, phantom.angles, 3.25, names)
    path = save(tmp_path / f"images{target}", series, plugins=plugins)
    check(found := load(path, plugins=plugins), series)
    assert found.channels == names
    voxels = np.random.default_rng(0).random((3, 2, 5, 6), np.float32)
    path = save(tmp_path / f"volume{target}", volume(voxels, names=names), plugins=plugins)
    found = load(path, [0, 1], plugins)
    assert np.array_equal(found.images, voxels)
    assert found.channels == names


def test_a_tiff_holds_one_channel(
    tmp_path: Path, plugins: Plugins, volume: Callable[..., Reconstruction]
) -> None:
    voxels = np.zeros((2, 3, 3, 3), np.float32)
    with pytest.raises(ValueError, match="TIFF file holds one channel, not 2"):
        save(tmp_path / "a.tif", volume(voxels, names=("a", "b")), plugins=plugins)
    assert not list(tmp_path.iterdir())
