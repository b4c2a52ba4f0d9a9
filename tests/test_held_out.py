"""Images left out judge choices as the truth would: volumes, strengths, frequencies, poses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import Reconstruction, TomoinrError
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Poses
from tomoinr.metrics import score
from tomoinr.trust import held_out
from tomoinr.trust.again import predicted, with_views
from tomoinr.trust.held_out import _held, _misfit, _unseen
from tomoinr.trust.placing import motions

TILTS = tuple(range(-60, 61, 4))
FEW = TILTS[::3]
SHORT = {"name": "auto", "preview": 50, "pose_steps": 50, "rounds": 1, "round_steps": 25}
SIRT = {"solver": {"name": "sirt", "steps": 20}}


def taken(phantom="nanoparticles", dose=20.0, size=20, **errors):
    return simulate(phantom, (size,) * 3, Acquisition(TILTS, dose=dose, **errors), seed=0)


def tv(weight):
    return {"solver": {"name": "tv", "weight": weight}}


def names(ranked):
    return [choice.name for choice in ranked]


def by_truth(made, choices, plugins=None):
    """The names, most similar to the truth first."""

    def similarity(name):
        options = {"poses": "fixed", **choices[name]}
        found = tomoinr.reconstruct(made.series(), **options, plugins=plugins)
        return score(found.voxels, made.truth).ssim

    return sorted(choices, key=similarity, reverse=True)


@pytest.mark.slow
def test_solvers_and_strengths_rank_as_the_truth_ranks_them(plugins):
    made = taken(dose=10, size=16)
    choices = {"auto": {"solver": SHORT}, "tv": tv(0.03), "too strong": tv(0.3), "sirt": SIRT}
    ranked = held_out(made.series(), choices, every=4, plugins=plugins)
    assert names(ranked) == by_truth(made, choices, plugins)
    assert [choice.beaten for choice in ranked][2:] == [True] * 2
    assert ranked[0].behind == ranked[0].behind_error == 0 and not ranked[0].beaten


def test_a_frequency_that_is_too_high_is_told():
    pytest.importorskip("tomoinr_inr")
    made = taken(dose=10, size=16)
    choices = {
        f"{omega:.0f}": {
            "volume": {"name": "siren", "omega": omega, "width": 32, "depth": 2},
            "solver": {"name": "joint", "steps": 40},
        }
        for omega in (10.0, 90.0)
    }
    low, high = held_out(made.series(), choices, every=4)
    assert [low.name, high.name] == by_truth(made, choices) == ["10", "90"]
    assert high.beaten


@pytest.mark.slow
@pytest.mark.parametrize(
    ("errors", "best", "other"),
    [
        ({}, "fixed", "rigid"),
        ({"rotation": 3.0}, "rigid", "fixed"),
        ({"tilt_error": 2.0}, "rigid and tilt", "rigid"),
    ],
)
def test_the_poses_that_need_learning_are_told(errors, best, other):
    pytest.importorskip("tomoinr_poses")
    models = {"fixed": "fixed", "rigid": "rigid", "rigid and tilt": {"name": "rigid", "tilt": True}}
    choices = {name: {"poses": models[name], "solver": SHORT} for name in (other, best)}
    series = taken("dendrite", 30.0, 16, **errors).series()
    assert names(held_out(series, choices, every=5)) == [best, other]


def test_poses_are_held_where_they_are_said_to_be(plugins):
    made = taken(shift=1.5)
    shift = torch.tensor(np.stack((made.dx, made.dy), 1))
    right = Poses.of(made.series().angles, shift=shift)
    (aligned,) = held_out(made.series(), {"tv": tv(0.03)}, right, plugins=plugins, every=5)
    (not_,) = held_out(made.series(), {"tv": tv(0.03)}, plugins=plugins, every=5)
    assert aligned.misfit < 0.3 * not_.misfit


def perfect(noise, motion=None, n=20):
    """A lopsided blob as voxels hold it, its own images in their true poses, and white noise."""
    grid, angles = Grid((n, n, n), 2.0), torch.tensor(FEW, dtype=torch.float32)
    x, y, z = grid.points().unbind(-1)
    voxels = sum(
        torch.exp(-((x - a).square() + (y - b).square() + (z - c).square()) / 60)
        for a, b, c in ((0, 0, 0), (9, -5, 3), (-6, 8, -7))
    )
    series = TiltSeries(torch.zeros(len(angles), n, n), angles, 2.0)
    true = Poses.of(angles) if motion is None else motion
    made = Reconstruction(voxels.numpy(), grid, true, (), series)
    images = predicted(made)
    images = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return replace(made, series=replace(series, images=images[None]))


def misfit(made, change, noise):
    start = Poses.of(made.series.angles.float())
    weights = torch.full_like(made.series.images, noise**-2)
    return _misfit(_unseen(made, made.series, start), weights, change)


def still(made, ways=()):
    """No motion on average; some of the others moved in these ways."""
    change = torch.zeros(len(made.series.angles), 4)
    change[0, list(ways)] = 1
    return change


def test_a_perfect_volume_leaves_the_noise_whatever_the_brightness():
    made = perfect(1.0)
    assert misfit(made, still(made), 1.0).mean() == pytest.approx(1, abs=0.06)
    gains = torch.linspace(0.8, 1.2, len(FEW))[:, None, None]
    bright = replace(made, series=replace(made.series, images=gains * made.series.images))
    expected = gains.square().mean((1, 2)).numpy()
    assert misfit(bright, still(made), 1.0) / expected == pytest.approx(1, abs=0.2)


def test_unseen_images_are_found_where_they_are():
    random = torch.Generator().manual_seed(2)
    right, down, turn, tilt = torch.randn(4, len(FEW), generator=random)
    shift = 4 * torch.stack((right, down), 1)
    moved = Poses.of(torch.tensor(FEW).float() + tilt, 3 * turn, shift=shift)
    made = perfect(0.3, moved)
    assert misfit(made, still(made), 0.3).mean() > 100
    assert misfit(made, still(made, (0, 1, 2, 3)), 0.3).mean() == pytest.approx(1, abs=0.06)


def test_freedom_that_is_not_needed_is_no_advantage():
    made = perfect(3.0)
    held, free = (misfit(made, still(made, ways), 3.0) for ways in ((), (0, 1, 2, 3)))
    assert 0 < (free - held).mean() < 0.05


def test_motions_are_in_pixels():
    series = taken().series()
    before = Poses.of(series.angles.float(), 10.0)
    after = before.moved(1.0, -2.0, 3.0, 4.0)
    rim = np.radians([3.0, 4.0]) * 10
    assert torch.allclose(
        motions(before, after, series), torch.tensor([1.0, -2.0, *rim]).float(), atol=1e-3
    )


@pytest.mark.parametrize("count", range(13, 42, 4))
def test_images_held_out_are_spread_between_the_ends(count):
    images = 1 + torch.rand(count, 8, 8, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    series = TiltSeries(images, (torch.arange(count) * 3.0)[order])
    places = (series.angles[_held(series, 6)] / 3).tolist()
    assert np.all(np.diff(places) == 6)
    assert places[0] >= 3 and places[-1] <= count - 4
    assert abs(places[0] - (count - 1 - places[-1])) <= 1


def test_odd_images_and_lone_pixels_do_not_judge(plugins):
    series = taken().series()
    held = _held(series, 5)
    (plain,) = held_out(series, {"sirt": SIRT}, every=5, plugins=plugins)
    struck = series.images.clone()
    struck[:, held, 3, 4] = 50 * struck.max()
    (spiked,) = held_out(replace(series, images=struck), {"sirt": SIRT}, every=5, plugins=plugins)
    assert spiked.misfit == pytest.approx(plain.misfit, rel=0.05)
    blank = series.images.clone()
    blank[:, held[2]] = 0
    assert held[2] not in _held(replace(series, images=blank), 5)


def test_neither_units_nor_copies_matter(plugins):
    series = taken().series()
    (plain,) = held_out(series, {"sirt": SIRT}, plugins=plugins)
    (scaled,) = held_out(series.scaled(1e4), {"sirt": SIRT}, plugins=plugins)
    twice = replace(series, images=series.images.repeat(2, 1, 1, 1), channels=("a", "b"))
    (both,) = held_out(twice, {"sirt": SIRT}, plugins=plugins)
    assert scaled.each == pytest.approx(plain.each, rel=1e-3)
    assert both.each == pytest.approx(plain.each, rel=1e-3)
    assert plain.misfit == pytest.approx(plain.each.mean())


def test_a_tilt_axis_out_of_the_detector_plane_is_followed():
    made = perfect(1.0)
    for lifted in (0.0, 15.0):
        poses = Poses.of(made.series.angles.float(), 0.0, lifted)
        images = predicted(replace(made, poses=poses))
        series = replace(made.series, images=images[None])
        weights = torch.ones_like(series.images)
        left = _misfit(_unseen(made, series, poses), weights, still(made))
        assert left.mean() < 1e-3 * float(images.square().mean())


@pytest.mark.parametrize(
    ("choices", "options", "complaint"),
    [
        ({}, {}, "no choice to judge"),
        ({"a": {"start": None}}, {}, "'a' names start; give it for all choices"),
        ({"a": {}}, {"every": 30}, "fewer than two to judge by.*from 2 to 15"),
        ({"a": {}}, {"every": 1}, "fewer than two"),
        ({"a": {}}, {"start": Poses.of(torch.zeros(3))}, "3 poses to start from, but 31 images"),
    ],
)
def test_what_cannot_be_compared_is_refused(choices, options, complaint, plugins):
    with pytest.raises(TomoinrError, match=complaint):
        held_out(taken(size=8).series(), choices, plugins=plugins, **options)


def test_the_order_of_images_does_not_matter(plugins):
    series = taken().series()
    (plain,) = held_out(series, {"tv": tv(0.03)}, plugins=plugins)
    order = torch.randperm(31, generator=torch.Generator().manual_seed(0)).tolist()
    whole = Reconstruction(np.zeros(1), series.grid(), Poses.of(series.angles), (), series)
    (mixed,) = held_out(with_views(whole, order).series, {"tv": tv(0.03)}, plugins=plugins)
    assert mixed.each == pytest.approx(plain.each, rel=1e-2)
