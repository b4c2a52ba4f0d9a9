"""Where the tilt axis runs in the images: said, turned upright, kept, and started from."""

import mrcfile
import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import TomoinrError
from tomoinr.builtin.coarse import coarse_alignment
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.io import describe, load
from tomoinr.io.inspect import inspect
from tomoinr.metrics import score

ANGLES = tuple(range(-60, 61, 4))


def taken(azimuth: float, size: int = 24):
    acquisition = Acquisition(ANGLES, dose=200, axis=azimuth)
    return simulate("core_shell", (size,) * 3, acquisition, seed=0)


@pytest.fixture
def saved(tmp_path):
    """Saves images as a stack that says nothing of its axis."""

    def save(images):
        path = tmp_path / "stack.mrc"
        with mrcfile.new(path, overwrite=True) as file:
            file.set_data(images.numpy())
            file.set_image_stack()
        path.with_suffix(".rawtlt").write_text("\n".join(map(str, ANGLES)))
        return path

    return save


@pytest.mark.parametrize(("axis", "turns"), [("y", 0), ("x", 1), (180.0, 2), ("90", 3)])
def test_quarter_turns_lose_nothing(saved, axis, turns):
    images = torch.rand(len(ANGLES), 7, 9)  # its axis along columns
    found = load(saved(torch.rot90(images, turns, dims=(1, 2))), tilt_axis=axis)
    assert torch.equal(found.images[0], images) and found.tilt_axis == 0


def test_the_axis_is_said_with_its_source(saved):
    path = saved(torch.rand(len(ANGLES), 7, 9))
    assert any("taken to be y" in note for note in load(path).notes)
    given = load(path, tilt_axis=84.5)
    assert given.tilt_axis == pytest.approx(-5.5)
    assert "tilt axis at 84.5° from y, as given" in given.notes
    assert describe(path, tilt_axis="x").tilt_axis == -90


def test_one_line_says_which_axis_and_why(tmp_path):
    path = tmp_path / "ours.mrc"
    tomoinr.TiltSeries(torch.rand(2, 7, 9), [0, 1], tilt_axis=3.0).save(path)

    def told(**said):
        return [note for note in load(path, **said).notes if "axis" in note]

    title = "a title of the header (Tilt axis angle = 3)"
    assert told() == [f"tilt axis at 3° from y, as {title} has it"]
    assert told(tilt_axis=4) == ["tilt axis at 4° from y, as given"]
    for axis, notes in ((None, told()), ("y", ["tilt axis at 0° from y, as given"])):
        path.with_suffix(".rawtlt").unlink(missing_ok=True)  # without angles too
        found = inspect(path, tilt_axis=axis).stack.notes
        assert [note for note in found if "axis" in note] == notes
    bare = tmp_path / "bare.mrc"
    with mrcfile.new(bare) as file:
        file.set_data(np.zeros((2, 3, 4), np.float32))
    (tmp_path / "bare.mrc.mdoc").write_text("[T = Tilt axis angle = 84.5]\n")
    notes = describe(bare, (0, 1)).notes
    assert [n for n in notes if "axis" in n] == [
        "tilt axis at 84.5° from y, as bare.mrc.mdoc has it"
    ]


@pytest.mark.parametrize("axis", ["z", "nan", "1000"])
def test_no_axis_is_refused_in_a_line(saved, axis):
    with pytest.raises(TomoinrError, match="is none of y, x, and an angle") as caught:
        load(saved(torch.rand(len(ANGLES), 7, 9)), tilt_axis=axis)
    assert "\n" not in str(caught.value)


def test_a_turned_axis_is_reconstructed_upright(saved):
    made = taken(25.0)
    path = saved(made.series().images[0])

    def ssim(axis):
        series = load(path, tilt_axis=axis)
        found = tomoinr.reconstruct(series, solver="tv", poses="fixed", steps=60)
        return score(found.voxels, made.truth).ssim

    right, wrong = ssim(25.0), ssim(-25.0)
    assert right > 0.93 and wrong < right - 0.2


def test_alignment_starts_from_the_axis_known(saved):
    series = load(saved(taken(25.0, 32).series().images[0]), tilt_axis=23.0)
    poses = coarse_alignment(series).poses
    rotation = poses.angles().rotation.numpy()
    assert np.median(rotation) == pytest.approx(25.0, abs=0.4)
    assert float(poses.shift.norm(dim=1).max()) < 1.0
