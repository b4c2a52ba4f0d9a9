"""Files in quantEM's format, written by zarr alone."""

import json
import zipfile

import numpy as np
import pytest
import zarr

import tomoinr_quantem
from tomoinr import TomoinrError, builtin
from tomoinr.io import load
from tomoinr.plugins import Plugins
from tomoinr_quantem import series_of
from tomoinr_quantem.files import read

IMAGES = np.random.default_rng(0).random((7, 5, 6), np.float32)
ANGLES = [-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0]
LISTED = {"tilt_angles": ANGLES}


@pytest.fixture
def plugins():
    return Plugins(builtin, tomoinr_quantem, installed=False)


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("listed", [ANGLES, np.array(ANGLES)], ids=["list", "array"])
def test_images_angles_and_pixels_are_read(saved, as_zip, listed, plugins):
    path = saved(IMAGES, as_zip, metadata={"tilt_angles": listed, "tilt_axis": 2.5})
    series = load(path, plugins=plugins)
    assert np.array_equal(series.images[0], np.rot90(IMAGES, -1, axes=(1, 2)))
    assert series.angles.tolist() == ANGLES
    assert (series.pixel_size, series.tilt_axis) == (2.0, 2.5)


def test_a_file_reads_as_the_dataset_in_memory(saved, plugins):
    from_file = load(saved(IMAGES, metadata=LISTED), plugins=plugins)
    assert np.array_equal(from_file.images, series_of(IMAGES, ANGLES).images)


def test_a_first_axis_in_degrees_gives_the_angles(saved):
    said = {"units": ("deg", "A", "A"), "sampling": (10, 3, 3), "origin": (-30, 0, 0)}
    stack = read(saved(IMAGES, **said), None)
    assert stack.angles == pytest.approx(ANGLES)
    assert stack.pixel_size == 3.0


def test_what_the_file_does_not_say_stays_open(saved):
    stack = read(saved(IMAGES, units=("index", "pixels", "pixels")), None)
    assert stack.angles is None and stack.pixel_size is None
    assert read(saved(IMAGES), 7.0).pixel_size == 7.0


def test_pixels_that_are_not_square_are_refused(saved):
    with pytest.raises(TomoinrError, match=r"pixels of 3 × 2 Å.*square"):
        read(saved(IMAGES, sampling=(1, 0.2, 0.3)), None)


def test_the_one_stack_of_a_bundle_with_its_angles(saved, tmp_path):
    inner = zarr.open_group(saved(IMAGES), mode="r")
    bundle = zarr.open_group(tmp_path / "bundle", mode="w")
    bundle.attrs["_autoserialize"] = {"version": 1, "class_name": "Bundle"}
    group = bundle.create_group("tilts")
    group.attrs.update(inner.attrs.asdict())
    for key in ("_array", "_sampling", "_origin"):
        group.create_array(key, data=inner[key][:])
    group.create_group("_units").attrs.update(inner["_units"].attrs.asdict())
    bundle.create_array("angles", data=np.array(ANGLES))
    stack = read(tmp_path / "bundle", None)
    assert list(stack.angles) == ANGLES
    assert np.array_equal(stack.image(3), IMAGES[3])


def test_images_packed_together_are_unpacked_once(saved, monkeypatch):
    stack, asked = read(saved(IMAGES, chunks=(3, 5, 6)), None), []
    get = zarr.Array.__getitem__
    monkeypatch.setattr(zarr.Array, "__getitem__", lambda a, i: asked.append(i) or get(a, i))
    assert all(np.array_equal(stack.image(i), IMAGES[i]) for i in range(7))
    assert len(asked) == 3


@pytest.mark.parametrize("name", ["Tomography", "ObjectINR", "Bundle"])
def test_what_is_no_dataset_is_refused_with_the_way_out(saved, name):
    path = saved(IMAGES)
    zarr.open_group(path, mode="r+").attrs["_autoserialize"] = {"version": 1, "class_name": name}
    with pytest.raises(TomoinrError, match=f"holds a {name} with 0 stacks.*volume_of"):
        read(path, None)


def test_pickled_values_are_refused(saved):
    path = saved(IMAGES)
    root = zarr.open_group(path, mode="r+")
    del root["_array"]
    root.create_group("_tensor").create_array("tensor", data=np.zeros(9, np.uint8))
    with pytest.raises(TomoinrError, match="pickled by torch, which is not safe"):
        read(path, None)


def test_other_axes_and_numbers_are_refused(saved):
    with pytest.raises(TomoinrError, match=r"three axes .*this has 2: 7 × 5"):
        read(saved(IMAGES[..., 0]), None)
    with pytest.raises(TomoinrError, match="type 'complex64'"):
        read(saved(IMAGES.astype(np.complex64)), None)


def test_other_versions_are_refused(saved):
    path = saved(IMAGES)
    root = zarr.open_group(path, mode="r+")
    root.attrs["_autoserialize"] = {"version": 2, "class_name": "Dataset3d"}
    with pytest.raises(TomoinrError, match="version of quantEM's format that is not known"):
        read(path, None)


def test_damage_is_told(saved):
    path = saved(IMAGES, chunks=(3, 5, 6))
    piece = path / "_array" / "c" / "1" / "0" / "0"
    whole = piece.read_bytes()
    piece.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TomoinrError, match="cut short or damaged"):
        read(path, None)
    piece.unlink()
    assert read(path, None).notes == ("1 of 3 pieces are not stored and read as zero",)


def test_sizes_that_cannot_be_are_refused(saved):
    path = saved(IMAGES)
    told = path / "_array" / "zarr.json"
    table = json.loads(told.read_text())
    table["shape"] = [70000, 5000, 6000]
    told.write_text(json.dumps(table))
    with pytest.raises(TomoinrError, match=r"claims .* bytes of images but stores"):
        read(path, None)


def test_other_files_are_left_to_others(tmp_path):
    zarr.open_group(tmp_path / "other.zarr", mode="w").create_array("a", data=IMAGES)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("note.txt", "nothing")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "plain.txt").write_text("text")
    for name in ("other.zarr", "other.zip", "cut.zip", "plain.txt", "absent"):
        assert read(tmp_path / name, None) is None
