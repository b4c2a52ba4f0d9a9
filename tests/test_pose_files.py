"""Poses in IMOD's and AreTomo's files: signs, sections, round trips, and what is refused."""

import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tomoinr.builtin import pose_files
from tomoinr.builtin.pose_files.imod import held
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses, place
from tomoinr.io import read_poses, write_poses
from tomoinr.io.applied import as_filed, pose_texts, poses_for
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

HOST = Plugins(pose_files, installed=False)
DATA = Path(os.environ.get("TOMOINR_DATA", Path(__file__).parents[2] / "shared" / "data"))
ANGLES = torch.linspace(-60, 66, 8, dtype=torch.float64)
PIXEL = 3.4


def series(angles=ANGLES, axis=0.0, pixel=PIXEL, sections=()):
    images = torch.zeros(len(angles), 6, 9)
    return TiltSeries(images, angles, pixel, sections=sections, tilt_axis=axis)


def random_poses(count=8, out=0.0, axis=0.0, angles=ANGLES):
    jitter = torch.randn(5, count, dtype=torch.float64)
    shift = 20 * jitter[3:].T
    return Poses.of(angles + jitter[0], axis + 3 * jitter[1], out * jitter[2], shift)


def equal(one, other, turn=2e-7, shift=5e-6):
    near = torch.allclose(one.rotation.double(), other.rotation.double(), rtol=0, atol=turn)
    return near and torch.allclose(one.shift.double(), other.shift.double(), rtol=0, atol=shift)


def columns(path):
    return np.loadtxt(path, ndmin=2)


# What other programs say.


@pytest.fixture
def real():
    folder = DATA / "imod_pose"
    if not (folder / "00254.xf").is_file():
        pytest.skip(f"no data in {DATA} (TOMOINR_DATA)")
    return folder


def of_xml(text, name):
    (values,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return torch.tensor([float(value) for value in values.split()], dtype=torch.float64)


def test_a_real_xf_means_what_another_program_takes_it_for(real):
    """Its import of the same file, from which it lists axis, shifts in Å and angles."""
    told = (real / "00254.xml").read_text("utf-8-sig")
    angles = of_xml(told, "Angles")
    found = read_poses(real / "00254.xf", series(torch.arange(41.0), pixel=10.0), HOST).angles()
    assert torch.allclose(found.rotation, of_xml(told, "AxisAngle"), atol=1e-5)
    assert torch.allclose(found.dx, of_xml(told, "AxisOffsetX"), atol=1e-3)
    assert torch.allclose(found.dy, of_xml(told, "AxisOffsetY"), atol=1e-3)
    assert torch.allclose(found.tilt, angles, atol=0.011)  # of the .tlt beside it: two decimals
    assert float(found.out_of_plane.abs().max()) < 1e-6


def test_a_real_xf_is_written_again(real, tmp_path):
    """To the digits that it has."""
    data = series(torch.arange(41.0))
    write_poses(tmp_path / "a.xf", read_poses(real / "00254.xf", data, HOST), data, plugins=HOST)
    for suffix, digits in ((".xf", 3), (".tlt", 2)):
        mine, theirs = columns(tmp_path / f"a{suffix}"), columns(real / f"00254{suffix}")
        assert np.abs(mine - theirs).max() < 0.51 * 10**-digits
    assert np.abs(columns(tmp_path / "a.xf") - columns(real / "00254.xf"))[:, :4].max() < 3e-7


def test_an_xf_line_typed_in(tmp_path):
    """A = R(4.3°), so the axis is at -4.3°; where the centre lies is taken to (0, 0)."""
    line = "0.9971855 -0.0749783 0.0749783 0.9971855 -27.094 -2.191"
    (tmp_path / "a.xf").write_text(f"{line}\n" * 8)
    found = read_poses(tmp_path / "a.xf", series(pixel=1.0), HOST).angles()
    assert found.rotation.tolist() == pytest.approx([-4.3] * 8, abs=1e-4)
    a11, a12, a21, a22, dx, dy = map(float, line.split())
    x, y = float(found.dx[0]), float(found.dy[0])
    assert (a11 * x + a12 * y + dx, a21 * x + a22 * y + dy) == pytest.approx((0, 0), abs=1e-9)
    assert (x, y) == pytest.approx((27.182, 0.153), abs=1e-3)


ARETOMO = """# AreTomo Alignment / Priims bprmMn
# RawSize = 9 6 4
# NumPatches = 0
# DarkFrame =     0    3   -60.00
# AlphaOffset =    -7.00
# BetaOffset =     0.00
# Thickness = 2050
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
    4    -4.3000    1.00000     27.182      0.153     1.00     1.00     1.00     0.00    -20.00
    1    -4.3000    1.00000      9.220    103.933     1.00     1.00     1.00     0.00      0.80
    2    -4.3000    1.00000      5.624     80.787     1.00     1.00     1.00     0.00     20.80
# Local Alignment
   0   0   100.00    200.00      1.00      2.00   1.0
"""


@pytest.mark.parametrize("base", [0, 1])
def test_aln_is_keyed_by_section(tmp_path, base):
    """Lines are in the order of tilts, images in the order of the file; old files count from 0."""
    text = (
        ARETOMO
        if base
        else re.sub(
            r"(?m)^(# DarkFrame = +0 +|    )(\d)(?= +-)",
            lambda m: f"{m[1]}{int(m[2]) - 1}",
            ARETOMO,
        )
    )
    (tmp_path / "a.aln").write_text(text)
    kept = (0, 1, 3)
    data = series(torch.tensor([0.0, 20, -20]), sections=kept, pixel=2.0)
    found = read_poses(tmp_path / "a.aln", data, HOST).angles()
    assert found.tilt.tolist() == pytest.approx([0.8, 20.8, -20.0])
    assert found.dx.tolist() == pytest.approx([18.44, 11.248, 54.364])
    assert found.dy.tolist() == pytest.approx([207.866, 161.574, 0.306])
    assert found.rotation.tolist() == pytest.approx([-4.3] * 3)


def test_aln_and_xf_of_the_same_poses_agree_as_aretomo_writes_them(tmp_path):
    """AreTomo's own export: A = R(-ROT), D = -A (TX, TY)."""
    data = series(axis=80.0)
    poses = random_poses(axis=80)
    for name in ("a.aln", "a.xf"):
        write_poses(tmp_path / name, poses, data, plugins=HOST)
    body = [line.split() for line in (tmp_path / "a.aln").read_text().splitlines()[6:]]
    assert [int(row[0]) for row in body] == (poses.angles().tilt.argsort() + 1).tolist()
    rows = columns(tmp_path / "a.xf")
    for section, turn, _, tx, ty, *_ in body:
        c, s = (f(-math.radians(float(turn))) for f in (math.cos, math.sin))
        moved = (-c * float(tx) + s * float(ty), -s * float(tx) - c * float(ty))
        assert rows[int(section) - 1] == pytest.approx((c, -s, s, c, *moved), abs=1e-5)


# Our own signs and round trips.


def test_imod_lands_points_where_we_do(tmp_path):
    """By its program's formula (xproj, yproj of `tilt`), then back through the .xf."""
    poses, data = random_poses(out=4.0), series()
    write_poses(tmp_path / "a.xf", poses, data, plugins=HOST)
    rows, tilts, pitches = (columns(tmp_path / f"a{s}") for s in (".xf", ".tlt", ".xtilt"))
    assert np.abs(pitches).max() > 2
    x, y, z = point = torch.tensor([11.0, -7.0, 5.0], dtype=torch.float64)
    views = place(poses, data.shape, 1.0)
    for i, (row, tilt, pitch) in enumerate(zip(rows, tilts[:, 0], pitches[:, 0], strict=True)):
        sin_b, cos_b = -math.sin(math.radians(tilt)), math.cos(math.radians(tilt))
        sin_a, cos_a = -math.sin(math.radians(pitch)), math.cos(math.radians(pitch))
        aligned = (x * cos_b + y * sin_a * sin_b + z * cos_a * sin_b, y * cos_a - z * sin_a)
        raw = np.linalg.solve(row[:4].reshape(2, 2), np.array(aligned) - row[4:])
        seen = [float((point - views.centre[i]) @ axis[i]) for axis in (views.u, views.v)]
        # `place` has shifts in Å, the file in pixels of 3.4 Å.
        shift = poses.shift[i].numpy()
        assert raw + shift * (1 - 1 / PIXEL) == pytest.approx(seen, abs=1e-5)


@pytest.mark.parametrize(("name", "out"), [("p.xf", 5.0), ("p.aln", 0.0), ("p.json", 5.0)])
@pytest.mark.parametrize("axis", [0.0, -85.0, 178.0])
def test_poses_come_back(tmp_path, name, out, axis):
    poses, data = random_poses(out=out, axis=axis), series(axis=axis)
    write_poses(tmp_path / name, poses, data, plugins=HOST)
    assert equal(read_poses(tmp_path / name, data, HOST), poses)


@pytest.mark.parametrize("tilt", [90.0, -90.0, 135.0, -179.0])
def test_steep_tilts_come_back(tmp_path, tilt):
    angles = ANGLES + tilt
    poses = Poses.of(angles, 5.0, shift=torch.ones(8, 2).double())
    poses = Poses(poses.rotation.float(), poses.shift.float())
    write_poses(tmp_path / "p.xf", poses, series(angles), plugins=HOST)
    assert equal(read_poses(tmp_path / "p.xf", series(angles), HOST), poses, turn=2e-5)
    assert np.abs(columns(tmp_path / "p.xtilt")).max() < 0.01


def test_held_is_plain_where_nothing_leaves_the_plane():
    poses = random_poses()
    turn, tilt, pitch = held(poses)
    plain = poses.angles()
    assert torch.allclose(turn, plain.rotation) and torch.allclose(tilt, plain.tilt)
    assert float(pitch.abs().max()) < 1e-9


def test_xf_comes_with_tlt_and_xtilt_even_if_all_zeros(tmp_path):
    (tmp_path / "p.xtilt").write_text("5\n" * 8)  # of an older alignment
    written = write_poses(tmp_path / "p.xf", random_poses(), series(), force=True, plugins=HOST)
    assert [p.name for p in written] == ["p.xf", "p.tlt", "p.xtilt"]
    assert not columns(tmp_path / "p.xtilt").any()
    line = (tmp_path / "p.xf").read_text().splitlines()[0]
    assert all(re.fullmatch(r"-?\d+\.\d{7}", word) for word in line.split())
    assert "-0.0000000" not in (tmp_path / "p.xtilt").read_text()


def test_angles_come_from_the_file_beside_else_from_the_series(tmp_path):
    poses, data = random_poses(), series()
    write_poses(tmp_path / "p.xf", poses, data, plugins=HOST)
    (tmp_path / "p.tlt").unlink()
    found = read_poses(tmp_path / "p.xf", data, HOST)
    assert torch.allclose(found.angles().tilt, ANGLES, atol=1e-5)
    assert torch.allclose(found.shift, poses.shift, atol=1e-5)
    (tmp_path / "p.xf").rename(tmp_path / "p.tltxf")
    assert equal(read_poses(tmp_path / "p.tltxf", data, HOST), found)


def test_tlt_and_xtilt_alone_keep_the_nominal_axis(tmp_path):
    (tmp_path / "p.tlt").write_text("".join(f" {float(a) + 1:.2f}\n" for a in ANGLES))
    (tmp_path / "p.xtilt").write_text("1.50\n" * 8)
    data = series(axis=12.0)
    found = read_poses(tmp_path / "p.tlt", data, HOST)
    assert equal(found, read_poses(tmp_path / "p.xtilt", data, HOST))
    turn, tilt, pitch = held(found)
    assert torch.allclose(tilt, ANGLES + 1, atol=0.006) and torch.allclose(turn, turn[:1])
    assert turn[0] == pytest.approx(12) and pitch.tolist() == pytest.approx([1.5] * 8)
    assert not found.shift.any()


# Images that were left out.


def test_every_image_has_a_line_and_only_those_in_use_are_read(tmp_path):
    data = series(ANGLES[[0, 2, 3, 6]], sections=(0, 2, 3, 6))
    poses = random_poses(4, angles=data.angles)
    for name in ("p.xf", "p.aln", "p.json"):
        write_poses(tmp_path / name, poses, data, plugins=HOST)
        assert equal(read_poses(tmp_path / name, data, HOST), poses)
    rows, tilts = columns(tmp_path / "p.xf"), columns(tmp_path / "p.tlt")[:, 0]
    assert len(rows) == len(tilts) == 7
    assert rows[[1, 4, 5]].tolist() == [[1, 0, 0, 1, 0, 0]] * 3  # nominal
    assert tilts[[1, 4, 5]] == pytest.approx(ANGLES[[1, 4, 5]].numpy(), abs=1e-6)
    text = (tmp_path / "p.aln").read_text()
    dark = re.findall(r"^# DarkFrame = +(\d+) +(\d+) +(\S+)$", text, re.MULTILINE)
    assert [int(section) for _, section, _ in dark] == [2, 5, 6]
    assert "# RawSize = 9 6 7\n" in text


def filed(axis=0.0, pixel=PIXEL, count=8):
    """A described stack, of which nothing is ever read."""
    shape = (count, 6, 9)
    angles = tuple(ANGLES[:count].tolist())
    return Stack("the stack", shape, np.dtype("f4"), lambda i: 1 / 0, angles, pixel, axis)


@pytest.mark.parametrize("name", ["p.xf", "p.aln", "p.json"])
@pytest.mark.parametrize(("axis", "left"), [(0.0, 0.0), (84.0, -6.0), (-170.0, 10.0), (45.0, 45.0)])
def test_files_speak_of_images_as_they_are_in_the_stack(tmp_path, name, axis, left):
    """Images left out at both ends, turned upright on reading, and binned by two."""
    kept = (1, 2, 4, 5, 6)
    data = series(ANGLES[list(kept)], left, 2 * PIXEL, kept)
    poses = random_poses(5, axis=left, angles=data.angles)
    for path, text in pose_texts(tmp_path / name, poses, data, filed(axis), HOST).items():
        path.write_text(text)
    found = poses_for(tmp_path / name, data, filed(axis), HOST)
    assert equal(found, poses)
    if name == "p.xf":
        assert len(columns(tmp_path / name)) == 8
        whole = read_poses(tmp_path / name, as_filed(filed(axis)), HOST)
        turn = round(axis / 90) * 90
        angles = whole.angles()
        assert (angles.rotation[1] - poses.angles().rotation[0] - turn + 180) % 360 == (
            pytest.approx(180, abs=1e-4)
        )
        norms = whole.shift[list(kept)].norm(dim=1), poses.shift.norm(dim=1)
        assert torch.allclose(*norms, atol=1e-5)


def test_a_file_may_also_know_only_the_images_in_use(tmp_path):
    kept = (1, 2, 4, 5, 6)
    data = series(ANGLES[list(kept)], sections=kept)
    poses = random_poses(5, angles=data.angles)
    for path, text in pose_files.imod.texts(
        tmp_path / "p.xf", poses, data.select(range(5))
    ).items():
        path.write_text("".join(text.splitlines(True)[i] for i in kept))
    assert equal(poses_for(tmp_path / "p.xf", data, filed(), HOST), poses)


def test_an_image_that_the_file_left_out_must_be_left_out(tmp_path):
    kept = (0, 1, 2, 3, 4)
    data = series(ANGLES[:5], sections=kept)
    poses = random_poses(5, angles=data.angles)
    for path, text in pose_texts(tmp_path / "p.aln", poses, data, filed(), HOST).items():
        path.write_text(text)
    assert equal(poses_for(tmp_path / "p.aln", data, filed(), HOST), poses)
    fewer = data.select(range(1, 4))
    assert equal(poses_for(tmp_path / "p.aln", fewer, filed(), HOST),
                 Poses(poses.rotation[1:4], poses.shift[1:4]))  # fmt: skip
    with pytest.raises(TomoinrError, match=r"no pose for image 5; leave it out \(--exclude 5\)"):
        poses_for(tmp_path / "p.aln", series(), filed(), HOST)


# What is refused, in one line.


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.xf", "1 0 0 1 0 0\n" * 7, "holds poses for 7 images, but there are 8 here"),
        ("p.xf", "1 0 0 1 0 0\n" * 9, "holds poses for 9 images, but there are 8 here"),
        ("p.tlt", "1\n" * 5, "poses for 5 images, but there are 8"),
        ("p.xf", "", "poses for 0 images"),
        ("p.xf", "1 0 0 1 0\n" * 8, "line 1: '1 0 0 1 0' does not hold 6 numbers"),
        ("p.xf", "1 0 0 1 0 0\n\n1 0 0 nan 0 0\n" * 8, "line 3"),
        ("p.xf", "1 0 0 -1 0 0\n" * 8, "image 0 is mirrored, stretched or magnified"),
        ("p.xf", "1 0 0 1 0 0\n" * 3 + "1.1 0 0 1.1 0 0\n" * 5, "image 3 is mirrored"),
        ("p.xf", "0 0 0 0 0 0\n" * 8, "image 0 is mirrored"),
        ("p.xf", "0 1 -1 0 0 0\n" * 8, r"axis is at 90.0° .* at 0.0°.*--tilt-axis 90.0"),
        ("p.xf", "\0" * 99, "line 1"),
        ("p.aln", "hello", "line 1"),
        ("p.aln", "# RawSize = 9 6 4\n", "it lists no images"),
        ("p.aln", ARETOMO, "holds poses for 4 images, but there are 8"),
        ("p.aln", ARETOMO.replace("\n    4 ", "\n    1 "), "section numbers are not those of 4"),
        ("p.aln", ARETOMO.replace("\n    4 ", "\n    9 "), "section numbers are not those of 4"),
        ("p.aln", ARETOMO.replace("\n    4 ", "\n   -4 "), "section numbers are not those of 4"),
        ("p.aln", ARETOMO.replace("9 6 4", "9 6 4e8"), "more than a tilt series has"),
    ],
)
def test_bad_files_are_refused(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    for call in (lambda p: read_poses(p, series(), HOST),
                 lambda p: poses_for(p, series(), filed(), HOST)):  # fmt: skip
        with pytest.raises(TomoinrError, match=says) as caught:
            call(tmp_path / name)
        assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)


def test_a_slight_magnification_is_let_go(tmp_path):
    (tmp_path / "p.xf").write_text("1.01 0 0 1.01 10.1 0\n" * 8)
    found = read_poses(tmp_path / "p.xf", series(), HOST)
    assert torch.allclose(found.angles().dx, torch.tensor(-10 * PIXEL).double())
    assert torch.allclose(found.angles().tilt, ANGLES)


def test_aln_refuses_an_axis_out_of_the_plane(tmp_path):
    with pytest.raises(TomoinrError, match=r"leaves the image by up to .*write \.xf or \.json"):
        write_poses(tmp_path / "p.aln", random_poses(out=1.0), series(), plugins=HOST)
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_and_nothing_half_written(tmp_path):
    (tmp_path / "p.xtilt").write_text("mine")
    with pytest.raises(TomoinrError, match=r"p\.xtilt: already exists"):
        write_poses(tmp_path / "p.xf", random_poses(), series(), plugins=HOST)
    assert [p.name for p in tmp_path.iterdir()] == ["p.xtilt"]


def test_unknown_formats_are_told(tmp_path):
    (tmp_path / "p.dat").write_text("1")
    with pytest.raises(TomoinrError, match="no reader of poses knows the suffix"):
        poses_for(tmp_path / "p.dat", series(), filed(), HOST)
    with pytest.raises(TomoinrError, match="no writer of poses knows the suffix"):
        pose_texts(tmp_path / "p.dat", random_poses(), series(), filed(), HOST)
    with pytest.raises(TomoinrError, match="a preparation turned the images"):
        pose_texts(tmp_path / "p.xf", random_poses(), series(axis=7.0), filed(), HOST)
