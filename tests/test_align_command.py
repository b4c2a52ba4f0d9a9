"""Aligned stacks and the commands that write them."""

from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import torch
import typer

from tomoinr import TomoinrError, builtin, reconstruct
from tomoinr.builtin import pose_files
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli import align as commands
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.io import read_poses, save
from tomoinr.io.applied import applied
from tomoinr.metrics import pose_errors
from tomoinr.plugins import Plugins

ANGLES, SIZE, AXIS = tuple(range(-60, 61, 6)), 28, 6.0
WRITTEN = [
    "aligned.mrc", "aligned.provenance.json", "aligned.rawtlt", "poses.json",
    "poses.tlt", "poses.xf", "poses.xtilt",
]  # fmt: skip


def correlation(one, other):
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


def agreement(one, other):
    """Of the pair of images that agree least."""
    return min(correlation(a, b) for a, b in zip(one, other, strict=True))


def poses_of(made, turns=1, shifts=1):
    """The true poses, or wrong ones; pixels of 1 Å."""
    tilt, phi = torch.from_numpy(made.tilt), torch.from_numpy(made.phi)
    shift = torch.from_numpy(np.stack((made.dx, made.dy), 1))
    return Poses.of(tilt, turns * phi, shift=shifts * shift)


@pytest.fixture(scope="module")
def made():
    """Without noise, its images turned and shifted; made without any projector of ours."""
    acquisition = Acquisition(ANGLES, shift=1.5, rotation=2.0, axis=AXIS)
    return simulate("asymmetric", (SIZE,) * 3, acquisition, seed=0)


@pytest.fixture(scope="module")
def still():
    """The same specimen, its images neither turned nor shifted."""
    return simulate("asymmetric", (SIZE,) * 3, Acquisition(ANGLES), seed=0)


# Images.


def test_signs(made, still):
    """Only the true poses make images what they would have been."""
    series = made.series()
    assert agreement(applied(series, poses_of(made)).images[0], still.images) > 0.99
    for wrong in (poses_of(made, turns=-1), poses_of(made, shifts=-1), poses_of(made, shifts=0)):
        assert agreement(applied(series, wrong).images[0], still.images) < 0.7


def test_aligned_images_give_the_volume_that_the_poses_give(made, still):
    """A fixed nominal pose for aligned images is as good as the poses for raw ones."""
    series, poses = made.series(), poses_of(made)
    options = {"solver": {"name": "sirt", "steps": 30}, "poses": "fixed"}
    straight = reconstruct(series, start=poses, **options).voxels
    aligned = reconstruct(applied(series, poses), **options).voxels
    assert correlation(straight, aligned) > 0.995
    assert correlation(reconstruct(series, **options).voxels, straight) < 0.8
    assert correlation(aligned, still.truth) > 0.94


def test_whole_pixels_and_quarter_turns_are_exact():
    images = torch.rand(2, 3, 7, 7)
    shift = torch.tensor([[2.0, -1.0]] * 3) * 4
    series = TiltSeries(images, torch.tensor([-10.0, 0, 10]), 4.0, ("a", "b"))
    moved = applied(series, Poses.of(series.angles, 0.0, shift=shift.double())).images
    assert torch.allclose(moved[..., 1:, :5], images[..., :-1, 2:], atol=1e-5)
    turned = applied(series, Poses.of(series.angles, 90.0)).images
    # The axis, 90° counter-clockwise from y, points to -x: clockwise is from columns to rows up.
    assert torch.allclose(turned, torch.rot90(images, 1, dims=(-2, -1)), atol=1e-5)


def test_a_box_keeps_its_middle_and_what_lies_outside_is_like_the_border(made):
    series = made.series()
    lifted = replace(series, images=series.images + 3)
    whole = applied(lifted, poses_of(made))
    for rows, columns in ((20, 12), (40, 34), (SIZE, 60)):
        cut = applied(lifted, poses_of(made), (rows, columns))
        assert cut.shape[1:] == (rows, columns)
        r, c = (min(n, SIZE) for n in (rows, columns))
        middle = [t[..., (t.shape[-2] - r) // 2:, (t.shape[-1] - c) // 2:][..., :r, :c]
                  for t in (cut.images, whole.images)]  # fmt: skip
        assert torch.allclose(*middle, atol=1e-4)
    bright = lifted.images[0]
    border = bright.sum((1, 2)) - bright[:, 2:-2, 2:-2].sum((1, 2))
    outside = border / (SIZE**2 - (SIZE - 4) ** 2)
    assert torch.allclose(cut.images[0, ..., :3], outside[:, None, None], atol=1e-4)
    assert cut.angles.tolist() == pytest.approx(list(ANGLES)) and cut.tilt_axis == 0


def test_what_cannot_be_applied_is_refused(made):
    series = made.series()
    with pytest.raises(TomoinrError, match="21 images but 20 poses"):
        applied(series, Poses.of(series.angles[1:]))
    with pytest.raises(TomoinrError, match="holds nothing"):
        applied(series, poses_of(made), (0, 5))


# Commands.


@pytest.fixture
def tomoinr(tmp_path, monkeypatch, capsys):
    """Runs a command in a folder of its own; returns what it told."""
    app = typer.Typer()
    app.command("align")(commands.align)
    app.command("apply-poses")(commands.apply_poses)
    host = Plugins(builtin, pose_files, installed=False)
    for name in ("cli.align", "io.reading", "io.saving", "io.poses"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: host)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        app([str(a) for a in arguments], standalone_mode=False)
        return capsys.readouterr().err

    return run


@pytest.fixture
def stack(tmp_path, made):
    """Pixels of 2 Å."""
    return save(tmp_path / "stack.mrc", replace(made.series(), pixel_size=2.0))


def images(path):
    return mrcfile.read(path)


def files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def test_align_roughly(tomoinr, stack, made, still):
    told = tomoinr("align", stack, "--out", "out", "--rough")
    for said in (
        "21 images of 28 × 28, pixels of 2 Å", "angles from stack.rawtlt", "tilt axis",
        "rough alignment: ", "wrote aligned.mrc", "undone: shifts",
    ):  # fmt: skip
        assert said in told
    assert "volume" not in told and sorted(files(stack.parent / "out")) == WRITTEN
    better = agreement(images("out/aligned.mrc"), still.images)
    assert better > 0.8 > agreement(made.images, still.images)
    with mrcfile.open("out/aligned.mrc") as file:
        assert float(file.voxel_size.x) == 2


@pytest.mark.parametrize("poses", ["poses.json", "poses.xf", "poses.aln"])
def test_poses_that_were_written_do_the_same_again(tomoinr, stack, poses):
    tomoinr("align", stack, "--out", "out", "--rough", "--aln", "--exclude", "0,3,19-20")
    tomoinr("apply-poses", stack, f"out/{poses}", "--out", "again.mrc", "--exclude", "0,3,19-20")
    assert np.abs(images("again.mrc") - images("out/aligned.mrc")).max() < 1e-4
    assert len(images("again.mrc")) == 17 and len(np.loadtxt("out/poses.xf")) == 21
    told = np.loadtxt("again.rawtlt"), np.loadtxt("out/aligned.rawtlt")
    assert np.abs(told[0] - told[1]).max() < 1e-5
    tomoinr("align", stack, "--start", f"out/{poses}", "--rough", "--out", "same",
            "--exclude", "0,3,19-20")  # fmt: skip
    one, other = (np.loadtxt(f"{folder}/poses.xf") for folder in ("out", "same"))
    assert np.abs(one - other).max() < 2e-6


def test_another_channel_in_other_pixels(tomoinr, stack, made):
    """Twice as large pixels, half as many: the same shifts in Å; the .xf's pixels must be told."""
    tomoinr("align", stack, "--out", "out", "--rough")
    halved = 2 * torch.nn.functional.avg_pool2d(torch.from_numpy(made.images), 2) + 1
    save("other.mrc", TiltSeries(halved, torch.tensor(ANGLES).double(), 4.0))
    wanted = torch.nn.functional.avg_pool2d(torch.from_numpy(images("out/aligned.mrc")), 2)
    for poses, more in (("poses.json", ()), ("poses.xf", ("--poses-pixel-size", 2))):
        told = tomoinr(
            "apply-poses", "other.mrc", f"out/{poses}", "--out", "o.mrc", "--force", *more
        )
        assert agreement(images("o.mrc"), wanted) > 0.97
        assert ("pixels of 2 Å" in told) == (poses == "poses.xf")
    tomoinr("apply-poses", "other.mrc", "out/poses.xf", "--out", "wrong.mrc")
    assert agreement(images("wrong.mrc"), wanted) < 0.8


def test_a_stack_that_lies_on_its_side(tomoinr, stack, made):
    """The axis along x: the .xf is for the images as they are in the file."""
    tomoinr("align", stack, "--out", "up", "--rough")
    lying = torch.rot90(torch.from_numpy(made.images), -1, dims=(1, 2))  # from x towards y
    save("lying.mrc", TiltSeries(lying, torch.tensor(ANGLES).double(), 2.0))
    tomoinr("align", "lying.mrc", "--tilt-axis", 90, "--out", "lie", "--rough")
    assert np.abs(images("lie/aligned.mrc") - images("up/aligned.mrc")).max() < 1e-3
    upright, turned = (np.loadtxt(f"{folder}/poses.xf") for folder in ("up", "lie"))
    assert turned[:, 4:] == pytest.approx(upright[:, 4:], abs=1e-3)  # D is in the aligned image
    assert turned[:, :2] == pytest.approx(np.stack((-upright[:, 1], upright[:, 0]), 1), abs=1e-4)
    tomoinr("apply-poses", "lying.mrc", "lie/poses.xf", "--tilt-axis", 90, "--out", "b.mrc")
    assert np.abs(images("b.mrc") - images("lie/aligned.mrc")).max() < 1e-4
    with pytest.raises(TomoinrError, match="--tilt-axis 9"):
        tomoinr("apply-poses", "lying.mrc", "lie/poses.xf", "--out", "c.mrc")


def test_align_refines(tomoinr, stack, made, monkeypatch):
    """Poses found with a volume are better than rough ones, and no volume is written."""
    tomoinr_poses = pytest.importorskip("tomoinr_poses")
    host = Plugins(builtin, pose_files, tomoinr_poses, installed=False)
    for name in ("cli.align", "io.saving", "io.reading"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: host)
    told = tomoinr("align", stack, "--out", "fine", "--box", "28,34", "--depth", 20)
    assert "solver auto" in told and "volume 28 × 20 × 28" in told
    tomoinr("align", stack, "--out", "rough", "--rough", "--box", "28,34")
    assert sorted(files(stack.parent / "fine")) == WRITTEN
    assert images("fine/aligned.mrc").shape == (21, 28, 34)

    def errors(folder):
        """Pixels across, pixels along, degrees."""
        found = read_poses(f"{folder}/poses.json")
        pixels = Poses(found.rotation, found.shift / 2)
        return np.array(pose_errors(pixels, made.dx, made.dy, made.phi, made.tilt))

    assert (errors("fine") < 0.5 * errors("rough")).all()
    assert errors("fine").max() < 0.25


# Refusals.


def test_nothing_is_replaced_unless_forced(tomoinr, stack):
    out = stack.parent / "out"
    out.mkdir()
    (out / "poses.xtilt").write_text("mine")
    with pytest.raises(TomoinrError, match=r"poses\.xtilt: already exists.*--force"):
        tomoinr("align", stack, "--out", out, "--rough")
    assert files(out) == {"poses.xtilt": b"mine"}
    tomoinr("align", stack, "--out", out, "--rough", "--force")
    assert sorted(files(out)) == WRITTEN
    (stack.parent / "a.rawtlt").write_text("mine")
    with pytest.raises(TomoinrError, match=r"a\.rawtlt: already exists"):
        tomoinr("apply-poses", stack, out / "poses.xf", "--out", "a.mrc")
    with pytest.raises(TomoinrError, match="own file"):
        tomoinr("apply-poses", stack, out / "poses.xf", "--out", stack, "--force")


def test_all_or_nothing(tomoinr, stack):
    """A stack that cannot be written leaves no poses either."""
    with pytest.raises(TomoinrError, match="no writer knows the suffix"):
        tomoinr("align", stack, "--out", "out", "--rough", "--name", "aligned.xyz")
    assert not (stack.parent / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--box", "12"), "rows,columns, as in 512,400"),
        (("--box", "12,0"), "a box of '12,0' pixels cannot be"),
        (("--start", "none.xf"), "there is no such file"),
        (("--prepare", "flip"), "--prepare flip moves the images.*tomoinr prepare"),
        (("--prepare", "crop:rows=20,offset_x=2"), "--prepare crop moves the images"),
        (("--exclude", "21"), "no image 21"),
        (("--tilt-axis", "z"), "none of y, x"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tomoinr, stack, arguments, says):
    with pytest.raises(TomoinrError, match=says) as caught:
        tomoinr("align", stack, "--out", "out", "--rough", *arguments)
    assert "\n" not in str(caught.value) and not (stack.parent / "out").exists()


def test_poses_of_too_few_images_are_refused(tomoinr, stack):
    tomoinr("align", stack, "--out", "out", "--rough", "--exclude", "4")
    with pytest.raises(TomoinrError, match="20 poses, but none for image 4 of 21"):
        tomoinr("apply-poses", stack, "out/poses.json", "--out", "a.mrc")
    assert len(read_poses("out/poses.json").shift) == 20
