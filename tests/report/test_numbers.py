"""What goes into a report is what was found: lattices, axes, wedge, residuals, error bars."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.fsc import regions
from tomoinr.geometry import Grid, Poses
from tomoinr.report import classical, pose_bars, tilts
from tomoinr.report.lattice import coarser, coarser_grid, factor_for
from tomoinr.report.packing import packed
from tomoinr.report.planes import AXES, PLANES, cut
from tomoinr.report.spectrum import depth, spectrum, wedge
from tomoinr.trust.again import predicted

ANGLES = torch.arange(-60.0, 61, 6)


def blob(noise=0.0, n=20, width=3.0, centre=(0.0, 0.0, 0.0)):
    """A smooth ball of 2 Å voxels, its own projections, and white noise on them."""
    grid = Grid((n, n, n), 2.0)
    away = grid.points() - torch.tensor(centre)
    voxels = np.exp(-away.square().sum(-1).numpy() / (2 * (2 * width) ** 2)).astype(np.float32)
    series = TiltSeries(torch.zeros(len(ANGLES), n, n), ANGLES, 2.0)
    perfect = Reconstruction(voxels, grid, Poses.of(ANGLES), (), series)
    images = predicted(perfect)
    images = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return replace(perfect, series=replace(series, images=images[None]))


def middle(voxels, grid):
    """The centre of mass in Å, (x, y, z)."""
    mass = torch.as_tensor(voxels).double()[..., None]
    return ((grid.points().double() * mass).sum((0, 1, 2)) / mass.sum()).numpy()


@pytest.mark.parametrize("low", [-3.0, 1e-6, -2e9])
def test_bytes_hold_values_to_half_a_step(low):
    values = (np.random.default_rng(0).random((5, 6, 7)) * abs(low) + low).astype(np.float32)
    found = packed(values)
    step = (found.high - found.low) / 255
    assert np.abs(found.low + found.values * step - values).max() <= 0.501 * step
    flat = packed(np.full((2, 2), low, np.float32))
    assert (flat.low + flat.values * (flat.high - flat.low) / 255 == np.float32(low)).all()


def test_a_lone_bright_voxel_does_not_take_all_grey_levels():
    values = np.random.default_rng(0).random(100_000).astype(np.float32)
    values[17] = 1e4
    assert packed(values).high < 1.1 and packed(values).values[17] == 255


@pytest.mark.parametrize("plane", PLANES, ids=lambda plane: plane.name)
def test_pictures_are_not_mirrored(plane):
    """right × up points at the reader, along `facing`; and a voxel is where it should be."""
    unit = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
    towards = np.cross(unit[plane.right], unit[plane.up])
    assert tuple(towards) == tuple(plane.facing * np.array(unit[plane.through]))
    place = {"y": 1, "z": 2, "x": 3}
    voxels = np.zeros((5, 6, 7))
    voxels[tuple(place[axis] for axis in AXES)] = 1
    picture = cut(voxels, plane, place[plane.through])
    size = dict(zip(AXES, voxels.shape, strict=True))
    assert picture.shape == (size[plane.up], size[plane.right])
    assert picture[place[plane.up], place[plane.right]] == 1


@pytest.mark.parametrize(("count", "allowed", "wanted"), [(1000, 1000, 1), (8000, 1000, 2)])
def test_the_lattice_is_as_fine_as_allowed(count, allowed, wanted):
    assert factor_for(count, allowed, 3) == wanted
    assert factor_for(count + 1, allowed, 3) > wanted


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0, 3.0])
def test_a_coarser_lattice_has_the_same_middle(factor):
    one = blob(n=22, centre=(5.0, -4.0, 3.0))
    small, grid = coarser(one.voxels, factor, (0, 1, 2)), coarser_grid(one.grid, factor)
    assert small.shape == grid.shape and grid.spacing == factor * one.grid.spacing
    assert middle(small, grid) == pytest.approx((5, -4, 3), abs=0.1)
    assert small.mean() * factor**3 * small.size == pytest.approx(one.voxels.sum(), rel=0.05)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_sirt_shows_the_same_thing_in_the_same_place(factor):
    one = blob(n=20, centre=(5.0, -4.0, 3.0))
    moved = replace(
        one,
        series=replace(one.series, images=one.series.images.roll(2, -1)),
        poses=Poses(one.poses.rotation, one.poses.shift + torch.tensor([4.0, 0.0])),
    )
    found = classical.sirt(moved, factor)[0]
    grid = coarser_grid(one.grid, factor)
    assert found.shape == grid.shape
    assert middle(found, grid) == pytest.approx((5, -4, 3), abs=1.0)
    alike = np.corrcoef(found.ravel(), coarser(one.voxels, factor, (0, 1, 2)).ravel())[0, 1]
    assert alike > 0.9


def test_the_wedge_is_drawn_where_nothing_was_measured():
    """A lopsided range of tilts, so that a mirrored wedge would be found out."""
    angles = np.arange(-70.0, 21, 1)
    noise = np.random.default_rng(0).standard_normal((4, 48, 48)).astype(np.float32)
    kz, kx = np.fft.fftfreq(48)[:, None], np.fft.fftfreq(48)[None]
    measured, _ = regions(kz, kx[:, :25], angles)
    spectra = np.fft.rfft2(noise) * measured
    found = spectrum(np.fft.irfft2(spectra, noise.shape[1:]).astype(np.float32))
    z = np.linspace(*found.kz, 97)[1::2][:, None]
    x = np.linspace(*found.kx, 97)[1::2][None]
    assert z[24, 0] == pytest.approx(0) and x[0, 24] == pytest.approx(0)
    first, last = wedge(angles.tolist())
    direction = np.rad2deg(np.arctan2(z, x))
    inside = (first - direction) % 180 < (first - last)
    ring = (np.hypot(z, x) > 0.15) & (np.hypot(z, x) < 0.45)
    assert found.power[ring & inside].mean() > found.power[ring & ~inside].mean() + 15


def test_spectra_share_a_depth_that_shows_the_darkest():
    noise = np.random.default_rng(0).standard_normal((4, 16, 16))
    white = spectrum(noise)
    smooth = spectrum(np.cumsum(np.cumsum(noise, 1), 2))
    assert depth([white]) < depth([smooth]) == depth([white, smooth]) and depth([smooth]) % 10 == 0
    assert white.power.max() == 0


def test_residuals_are_what_the_volume_leaves():
    one = blob(0.2)
    found = tilts.compared(one)
    assert found.factor == 1 and found.measured.shape == (1, 21, 20, 20)
    assert found.residual.std() == pytest.approx(0.2, rel=0.02)
    assert np.sqrt(found.variance) == pytest.approx(0.2, rel=0.15)
    rms = np.sqrt(np.square(found.measured).mean((2, 3)))
    assert found.left == pytest.approx(np.sqrt(found.variance) / rms, rel=1e-4)


def test_many_images_are_shown_smaller_but_judged_whole(monkeypatch):
    monkeypatch.setattr(tilts, "PIXELS", 21 * 10 * 10)
    one = blob(0.2)
    small = tilts.compared(one)
    assert small.factor == 2 and small.measured.shape == (1, 21, 10, 10)
    assert np.sqrt(small.variance) == pytest.approx(0.2, rel=0.15)


def test_channels_may_lack_images_and_be_coarser():
    images = np.arange(1, 9.0).reshape(2, 2, 2)
    out = tilts.spread(images, (7, 3), (3, 5, 7), (5, 4))
    assert (out[1] == 0).all() and (out[:, 4] == 0).all()
    assert out[2, :4].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert out[0, 0, 0] == 5


def test_an_image_that_is_not_there_tells_nothing_of_its_pose():
    one = blob(0.3)
    variance = np.full((1, 21), 0.09)
    variance[0, 4] = np.inf
    found = pose_bars.bars(one, variance)["dx"]
    assert found[4] is None and all(bar > 0 for i, bar in enumerate(found) if i != 4)


def learned(one):
    """The same with poses that a rotation and tilt model has found."""
    wobble = torch.linspace(-0.4, 0.5, len(ANGLES)).sin()
    return replace(one, poses=Poses.of(ANGLES + wobble, 0.3 * wobble))


def test_only_what_was_learned_has_error_bars():
    one = blob(0.1)
    assert pose_bars.free(one) == ("dx", "dy")
    assert pose_bars.free(learned(one)) == ("dx", "dy", "rotation", "tilt")
    assert pose_bars.free(replace(one, poses=Poses.of(ANGLES, 2.0))) == ("dx", "dy")


def test_error_bars_are_those_of_the_normal_equations():
    """Of a ball, shifts along x and y are independent: σ over the root of the squared slopes."""
    one = blob(0.3)
    variance = np.full((1, 21), 0.09)
    found = pose_bars.bars(one, variance)
    images = predicted(one).double()
    for name, axis in (("dx", 2), ("dy", 1)):
        slopes = torch.gradient(images, dim=axis)[0].square().sum((1, 2)).sqrt()
        assert found[name] == pytest.approx((0.3 / slopes).tolist(), rel=0.1)
    assert pose_bars.bars(one, 4 * variance)["dx"] == pytest.approx(
        [2 * value for value in found["dx"]], rel=1e-3
    )


def test_some_rows_stand_for_all(monkeypatch):
    one, variance = learned(blob(0.3, n=24, centre=(6.0, -5.0, 4.0))), np.full((1, 21), 0.09)
    whole = pose_bars.bars(one, variance)
    monkeypatch.setattr(pose_bars, "ROWS", 8)
    for name, some in pose_bars.bars(one, variance).items():
        assert some == pytest.approx(whole[name], rel=0.2)
