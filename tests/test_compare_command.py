"""`tomoinr compare`: scores as the benchmarks define them, and plain refusals."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tomoinr import Grid, Poses, Reconstruction
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.fsc import fsc
from tomoinr.io import save, save_reconstruction
from tomoinr.metrics import score

N, TILTS = 24, tuple(range(-60, 61, 10))


@pytest.fixture(scope="module")
def taken():
    return simulate("nanoparticles", (N, N, N), Acquisition(TILTS, dose=50, shift=1.0), 0)


@pytest.fixture
def here(simulated, tmp_path, monkeypatch, taken):
    """A truth with its facts, and two results: one blurred, its poses moved as no data can tell."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(simulated, "sim")
    series = taken.series()
    tilt = np.deg2rad(np.array(TILTS))
    for name, voxels, move in (("a", taken.truth, 0.0), ("b", np.roll(taken.truth, 1, 2), 2.0)):
        shift = np.stack((taken.dx + move * np.cos(tilt), taken.dy - move), 1)
        poses = Poses.of(series.angles, shift=series.angles.new_tensor(shift))
        result = Reconstruction(voxels, Grid((N, N, N)), poses, (), series)
        save_reconstruction(name, replace(result, recipe={"volume": {"name": "voxels"}}))
    return tmp_path


def told(program, *words):
    code, printed, error = program("compare", *words, "--json")
    assert (code, error) == (0, "")
    return json.loads(printed)


def test_scores_are_those_of_the_benchmarks(program, here, taken):
    found = told(program, "a", "b", "--truth", "sim/truth.mrc")
    assert found["tilts"] == list(TILTS) and found["unit"] == "voxels"
    same, moved = found["volumes"]
    assert same["ssim"] == pytest.approx(1) and same["fsc"]["measured"] == pytest.approx(1)
    other = np.roll(taken.truth, 1, 2)
    assert moved["ssim"], moved["psnr"] == pytest.approx(score(other, taken.truth))
    curves = fsc(other, taken.truth, np.array(TILTS))
    assert moved["fsc"]["measured"] == pytest.approx(curves.means()[0], abs=1e-4)
    assert moved["fsc"]["wedge"] == pytest.approx(curves.means()[1], abs=1e-4)
    assert moved["resolution"]["0.5"] > moved["resolution"]["0.143"] >= 2


def test_poses_differ_only_by_what_can_be_seen(program, here):
    """A volume moved in x and y moves all images: no data tell, and neither does the table."""
    found = told(program, "a", "b", "--truth", "sim/truth.mrc")
    for volume in found["volumes"]:
        assert max(volume["poses"].values()) < 1e-3
    poses = json.loads((here / "b/poses.json").read_text())
    poses["tilts"][0]["dx"] += 1.3
    (here / "b/poses.json").write_text(json.dumps(poses))
    (one,) = told(program, "a", "b")["volumes"]
    assert 0.1 < one["poses"]["dx"] < 1.3 / len(TILTS) ** 0.5 and one["poses"]["dy"] < 1e-3


def test_without_tilts_nothing_is_said_of_the_wedge(program, here, taken):
    save("c.mrc", Reconstruction(taken.truth, Grid((N, N, N)), None, (), taken.series()))
    save("d.mrc", Reconstruction(taken.truth**2, Grid((N, N, N)), None, (), taken.series()))
    (one,) = told(program, "c.mrc", "d.mrc")["volumes"]
    assert one["fsc"]["wedge"] is None and one["poses"] is None and 0 < one["fsc"]["measured"] < 1
    code, printed, _ = program("compare", "c.mrc", "d.mrc")
    assert code == 0 and "no tilts are known" in printed and "wedge" not in printed.splitlines()[1]
    (one,) = told(program, "c.mrc", "d.mrc", "--angles=-60:60:10")["volumes"]
    assert 0 < one["fsc"]["wedge"] < 1


def test_the_table_and_the_picture(program, here):
    code, printed, _ = program(
        "compare", "a", "b", "--truth", "sim/truth.mrc", "--picture", "p.png"
    )
    assert code == 0 and (here / "p.png").stat().st_size > 5000
    assert "against sim/truth.mrc" in printed and "FSC wedge" in printed and "rotation" in printed
    assert all(len(line) <= 80 for line in printed.splitlines())


def test_lattices_that_differ_are_refused_in_a_line(program, here, taken):
    grid = Grid((N, N, N), 3.0)
    save("c.mrc", Reconstruction(taken.truth, grid, None, (), taken.series()))
    save("d.mrc", Reconstruction(taken.truth, Grid((N, N, N), 2.0), None, (), taken.series()))
    save("e.mrc", Reconstruction(taken.truth[1:], Grid((N - 1, N, N)), None, (), taken.series()))
    for words, says in (
        (("c.mrc", "d.mrc"), "voxels of 2 Å and c.mrc of 3 Å"),
        (("c.mrc", "e.mrc"), "23 × 24 × 24 voxels (y, z, x) and c.mrc 24 × 24 × 24"),
        (("a", "c.mrc", "--picture", "p.xyz"), "name a .png"),
        (("a",), "name two, or a --truth"),
        (("a", "sim/stack.mrc"), "this is a tilt series"),
        (("a", "none.mrc"), "no such file"),
    ):
        code, printed, error = program("compare", *words)
        assert (code, printed) == (2, "") and says in error and error.count("\n") == 1
