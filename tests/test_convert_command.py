"""`tomoinr convert`: nothing is lost on the way, whatever the formats."""

import itertools
import tracemalloc
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import torch

from tomoinr import Grid, Poses, Reconstruction, TiltSeries
from tomoinr.io import describe, load, save, volumes
from tomoinr.io.volumes import find, read_volume

SUFFIXES = ("mrc", "h5", "emd", "tif", "npz", "zarr")
PAIRS = list(itertools.pairwise((*SUFFIXES, "mrc")))
SHAPE = (9, 8, 10)


@pytest.fixture
def series():
    images = torch.rand(5, 8, 10)
    return TiltSeries(images, torch.tensor([-40.0, -20, 0, 21.5, 40]), 2.5, tilt_axis=3.5)


@pytest.fixture
def result(series):
    voxels = np.random.default_rng(0).random(SHAPE, np.float32)
    return Reconstruction(voxels, Grid(SHAPE, 2.5), Poses.of(series.angles), (), series)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_stack_keeps_values_angles_pixel_size_and_axis(program, tmp_path, series, one, other):
    if {one, other} != {"mrc"}:
        pytest.importorskip("tomoinr_formats")
    first, second = tmp_path / f"a.{one}", tmp_path / f"b.{other}"
    save(first, series)
    assert program("convert", first, second)[0] == 0
    third = tmp_path / f"c.{one}"
    assert program("convert", second, third)[0] == 0
    for path in (first, second, third):
        found = load(path)
        assert torch.equal(found.images, series.images)
        assert torch.equal(found.angles, series.angles)
        assert found.pixel_size == pytest.approx(2.5)
        assert found.tilt_axis == pytest.approx(3.5)
    (tmp_path / "b.rawtlt").unlink()
    if other != "mrc":  # which has no room for angles
        assert describe(second).angles == pytest.approx(series.angles.tolist())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("order", ["imod", "xyz"])
def test_a_volume_keeps_its_hand_and_its_order(program, tmp_path, result, suffix, order):
    if suffix != "mrc":
        pytest.importorskip("tomoinr_formats")
    first, second = tmp_path / "a.mrc", tmp_path / f"b.{suffix}"
    save(first, result, order=order)
    assert program("convert", first, second)[0] == 0
    assert find(second).order == order and not (tmp_path / "b.rawtlt").exists()
    voxels, filed = read_volume(second)
    assert np.array_equal(voxels, result.voxels) and filed.stack.pixel_size == pytest.approx(2.5)
    other = {"imod": "xyz", "xyz": "imod"}[order]
    assert program("convert", second, tmp_path / "c.mrc", "--order", other)[0] == 0
    assert find(tmp_path / "c.mrc").order == other
    assert np.array_equal(read_volume(tmp_path / "c.mrc")[0], result.voxels)


def test_of_a_result_its_parts_are_told_in_the_new_file(program, tmp_path, series):
    stack = save(tmp_path / "stack.mrc", series)
    quick = ("--solver", "fbp", "--trust", "none", "--out", tmp_path / "r")
    assert program("reconstruct", stack, "--tilt-axis", "y", *quick)[0] == 0
    assert program("convert", tmp_path / "r", tmp_path / "v.rec")[0] == 0
    with mrcfile.open(tmp_path / "v.rec") as file:
        titles = " ".join(file.get_labels())
        assert file.is_volume()
    assert "solver fbp" in titles and "from stack.mrc" in titles


def test_angles_that_lie_beside_already_are_kept(program, tmp_path, series):
    """The usual case: stack.h5 beside stack.mrc, which share stack.rawtlt."""
    pytest.importorskip("tomoinr_formats")
    save(tmp_path / "a.mrc", series)
    (tmp_path / "a.rawtlt").write_text("-40\n-20\n0\n21.5\n40\n")
    assert program("convert", tmp_path / "a.mrc", tmp_path / "a.h5")[0] == 0
    assert (tmp_path / "a.rawtlt").read_text() == "-40\n-20\n0\n21.5\n40\n"
    code, _, told = program("convert", tmp_path / "a.mrc", tmp_path / "a.npz", "--exclude", 0)
    assert code == 2 and "a.rawtlt: already exists" in told and not (tmp_path / "a.npz").exists()


def test_what_a_file_is_can_be_told(program, tmp_path):
    """A file with neither a label nor angles is taken for a volume, and that is said."""
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.random.default_rng(0).random((3, 4, 5), np.float32))
        file.set_image_stack()
    code, _, told = program("convert", tmp_path / "a.mrc", tmp_path / "b.mrc")
    assert code == 0 and "taken for a volume, since no angles are known" in told
    known = ("--angles=-10:10:10",)
    code, _, told = program("convert", tmp_path / "a.mrc", tmp_path / "c.mrc", *known)
    assert code == 0 and "tilt series of 3 × 4 × 5" in told
    assert (tmp_path / "c.rawtlt").read_text() == "-10.0\n0.0\n10.0\n"
    kind = ("--kind", "volume", "--pixel-size", 3)
    assert program("convert", tmp_path / "c.mrc", tmp_path / "d.mrc", *kind)[0] == 0
    assert find(tmp_path / "d.mrc").stack.pixel_size == 3


def test_images_are_left_out_and_a_channel_taken(program, tmp_path, series):
    pytest.importorskip("tomoinr_formats")
    two = replace(series, images=torch.rand(2, 5, 8, 10), channels=("haadf", "Pt"))
    save(tmp_path / "a.h5", two)
    code, _, told = program("convert", tmp_path / "a.h5", tmp_path / "b.mrc")
    assert code == 2 and "one channel" in told
    chosen = ("--channel", "Pt", "--exclude", "0,3-4")
    assert program("convert", tmp_path / "a.h5", tmp_path / "b.mrc", *chosen)[0] == 0
    assert np.array_equal(mrcfile.read(tmp_path / "b.mrc"), two.images[1, 1:3])
    code, _, told = program("convert", tmp_path / "a.h5", tmp_path / "c.mrc", "--channel", "Au")
    assert code == 2 and "there are haadf, Pt" in told


def test_a_large_file_is_not_held_in_memory(program, tmp_path, monkeypatch, series):
    """What is beyond the limit lies on the disk: the memory that numpy takes stays far below."""
    large = replace(series, images=torch.rand(5, 800, 1000))
    save(tmp_path / "a.mrc", large)
    monkeypatch.setattr(volumes, "LARGE", 1 << 20)
    tracemalloc.start()
    with volumes.values(find(tmp_path / "a.mrc"), tmp_path) as array:
        assert np.array_equal(array, large.images)
        most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.8 * large.images.numel() * 4
    before = sorted(tmp_path.iterdir())
    assert program("convert", tmp_path / "a.mrc", tmp_path / "b.mrc")[0] == 0
    assert np.array_equal(mrcfile.read(tmp_path / "b.mrc"), large.images[0])
    added = {"b.mrc", "b.rawtlt", "b.provenance.json"}
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in before} | added


BAD = {
    "order of a stack": (("a.mrc", "b.mrc", "--order", "xyz"), "has no order of axes"),
    "angles of a volume": (("v.mrc", "b.mrc", "--angles=0:8:1"), "a volume has no angles"),
    "suffix unknown": (("a.mrc", "b.jpg"), "no writer knows the suffix '.jpg'"),
    "no such file": (("none.mrc", "b.mrc"), "there is no such file"),
    "onto itself": (("a.mrc", "a.mrc", "--force"), "data's own file"),
    "there already": (("a.mrc", "v.mrc"), "already exists"),
    "no folder": (("a.mrc", "none/b.mrc"), "no such folder"),
    "into a folder": (("a.mrc", "."), "this is a folder; name the file"),
    "a folder": ((".", "b.mrc"), "this is not a file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(
    program, tmp_path, monkeypatch, series, result, name
):
    words, says = BAD[name]
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.mrc", series)
    save(tmp_path / "v.mrc", result)
    before = sorted(tmp_path.iterdir())
    code, printed, error = program("convert", *words)
    assert (code, printed) == (2, "") and says in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
