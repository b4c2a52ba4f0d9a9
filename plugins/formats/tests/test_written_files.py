"""What is written besides the values: levels, who wrote it, and the same bytes every time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import check_file, load, open_stack, save
from tomoinr.plugins import Plugins
from tomoinr.version import __version__


def test_levels_halve_and_every_centre_stays(
    tmp_path: Path, plugins: Plugins, volume: Callable[..., Reconstruction]
) -> None:
    """A blob has the same centre of mass, in Å, and a plane wave the same mean, on every level."""
    axes = np.meshgrid(*(np.arange(n) for n in (131, 20, 66)), indexing="ij")
    at = (70.3, 9.1, 30.6)
    distance = sum((axis - c) ** 2 for axis, c in zip(axes, at, strict=True))
    voxels = np.exp(-distance / 18).astype(np.float32)
    path = save(tmp_path / "a.zarr", volume(voxels, spacing=2.0), plugins=plugins)
    group = zarr.open_group(path, mode="r")
    datasets = group.attrs["multiscales"][0]["datasets"]
    shapes = [group[level["path"]].shape[1:] for level in datasets]
    assert shapes == [(131, 20, 66), (65, 10, 33), (32, 5, 16)]
    for level in datasets:
        values = group[level["path"]][0]
        scale, shift = level["coordinateTransformations"]
        centre = [
            np.average(index, weights=values) * step + start
            for index, step, start in zip(
                np.indices(values.shape), scale["scale"][1:], shift["translation"][1:], strict=True
            )
        ]
        assert centre == pytest.approx([2 * c for c in at], abs=0.02)
        size = np.prod(scale["scale"])
        assert values.sum() * size == pytest.approx(float(voxels.sum()) * 8, rel=1e-3)


def test_images_are_not_averaged_over_tilts(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries
) -> None:
    wide = replace(phantom, images=phantom.images.repeat(1, 1, 9, 9))
    path = save(tmp_path / "a.zarr", wide, plugins=plugins)
    group = zarr.open_group(path, mode="r")
    shapes = [group[name].shape for name in ("0", "1")]
    assert shapes == [(5, 1, 72, 99), (5, 1, 36, 49)]
    pairs = wide.images[0, 3, :, :98].reshape(36, 2, 49, 2).mean((1, 3))
    assert np.allclose(group["1"][3, 0], pairs, atol=1e-6)


@pytest.mark.parametrize("suffix", [".h5", ".emd", ".npz", ".tif"])
def test_equal_data_give_equal_bytes(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, suffix: str
) -> None:
    paths = [save(tmp_path / f"{name}{suffix}", phantom, plugins=plugins) for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_who_wrote_it_and_what_it_is(
    tmp_path: Path, plugins: Plugins, volume: Callable[..., Reconstruction]
) -> None:
    made = volume(np.ones((3, 4, 5), np.float32))
    said = []
    for suffix in (".h5", ".emd", ".npz", ".tif", ".zarr"):
        path = save(tmp_path / f"a{suffix}", made, order="xyz", plugins=plugins)
        if suffix in (".h5", ".emd"):
            with h5py.File(path) as file:
                said.append([file.attrs[name].decode() for name in ("software", "contents")])
        elif suffix == ".npz":
            said.append([str(np.load(path)[name]) for name in ("software", "contents")])
        elif suffix == ".tif":
            with tifffile.TiffFile(path) as file:
                said += [[w for w in said[0] if w in file.ome_metadata]]
        else:
            ours = zarr.open_group(path, mode="r").attrs["tomoinr"]
            said.append([ours["software"], ours["contents"]])
    assert said == 5 * [[f"tomoinr {__version__}", "volume, order xyz [-z, y, x]"]]


@pytest.mark.parametrize("suffix", [".h5", ".emd", ".npz", ".tif", ".zarr", ".mrc"])
def test_a_pixel_size_of_one_is_an_unknown_one(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, suffix: str
) -> None:
    path = save(tmp_path / f"a{suffix}", replace(phantom, pixel_size=1.0), plugins=plugins)
    assert open_stack(path, plugins).pixel_size is None
    assert load(path, plugins=plugins).pixel_size == 1
    assert open_stack(path, plugins, 1.0).pixel_size == 1  # as the user says
    path = save(tmp_path / f"b{suffix}", replace(phantom, pixel_size=1.0001), plugins=plugins)
    assert open_stack(path, plugins).pixel_size == pytest.approx(1.0001, rel=1e-6)


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".emd", ".npz", ".tif", ".tiff", ".zarr"])
def test_the_smallest_series_shows_that_a_suffix_is_known(
    tmp_path: Path, plugins: Plugins, suffix: str
) -> None:
    small = TiltSeries(np.zeros((2, 2, 2)), (0.0, 1.0))
    assert plugins.write(tmp_path / f"a{suffix}", small, "imod")
    with pytest.raises(TomoinrError, match=rf"there are .*\{suffix}"):
        check_file(tmp_path / "a.xyz", False, plugins=plugins)


def test_tiny_pixels_and_unknown_orders(
    tmp_path: Path, plugins: Plugins, phantom: TiltSeries, volume: Callable[..., Reconstruction]
) -> None:
    path = save(tmp_path / "a.tif", replace(phantom, pixel_size=0.01), plugins=plugins)
    assert load(path, plugins=plugins).pixel_size == pytest.approx(0.01)
    with pytest.raises(TomoinrError, match="no order of a volume is called 'zxy'"):
        made = volume(np.ones((3, 4, 5), np.float32))
        save(tmp_path / "b.h5", made, order="zxy", plugins=plugins)
