"""Series as they come from a microscope on a bad day: what is odd in them must cost little."""

from functools import cache

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import TiltSeries
from tomoinr.builtin.noise import alike, weigh
from tomoinr.builtin.simulate import Acquisition, expose, simulate
from tomoinr.builtin.solids import bin_by
from tomoinr.builtin.spikes import despiked
from tomoinr.builtin.voxels import Voxels
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.metrics import score

SIDE, ODD = 24, 8
ANGLES = np.linspace(-60, 60, 25)
OTHERS = np.arange(len(ANGLES)) != ODD
SOLVERS = {
    "auto": {"solver": "auto"},
    "sirt": {"solver": "sirt"},
    "siren": {"solver": "joint", "volume": {"name": "siren", "width": 32}, "steps": 60},
}


@cache
def taken(phantom="dendrite", shape=(SIDE, SIDE, SIDE), angles=tuple(ANGLES), **errors):
    return simulate(phantom, shape, Acquisition(angles, dose=30, **errors), seed=1)


def disturbed():
    return taken(shift=1.5, rotation=1)


def solved(images, angles=ANGLES, poses="fixed", **how):
    series = TiltSeries(np.asarray(images, np.float32), angles)
    return tomoinr.reconstruct(series, poses=poses, quality="fast", **how).voxels


def quality(voxels, truth):
    return score(voxels, truth).ssim


def spoilt(images, how):
    """The images, one of which is not what it should be."""
    images = images.copy()
    one = images[ODD]
    images[ODD] = {
        "blank": np.zeros_like(one),
        "saturated": np.full_like(one, images.max()),
        "another specimen": taken("core_shell").images[ODD][::-1],
        "ten times as bright": 10 * one,
        "a tenth as bright": one / 10,
        "moved by half the field": np.roll(one, SIDE // 2, axis=1),
    }[how]
    return images


ODDITIES = (
    "blank",
    "saturated",
    "another specimen",
    "ten times as bright",
    "a tenth as bright",
    "moved by half the field",
)


@cache
def without_the_odd_one(free):
    made = disturbed() if free else taken()
    poses = "rigid" if free else "fixed"
    return quality(solved(made.images[OTHERS], ANGLES[OTHERS], poses), made.truth)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_order_of_the_tilts_does_not_matter(solver):
    order = np.random.default_rng(0).permutation(len(ANGLES))
    images, how = taken().images, SOLVERS[solver]
    plain = solved(images, **how)
    mixed = solved(images[order], ANGLES[order], **how)
    assert np.abs(mixed - plain).max() < 0.01 * plain.max()


@pytest.mark.slow
def test_the_order_does_not_matter_where_poses_are_found():
    order, images = np.random.default_rng(0).permutation(len(ANGLES)), disturbed().images
    plain, mixed = solved(images, poses="rigid"), solved(images[order], ANGLES[order], "rigid")
    assert np.abs(mixed - plain).max() < 0.02 * plain.max()


@pytest.mark.parametrize("solver", SOLVERS)
def test_angles_may_come_twice(solver):
    made, twice = taken(), np.r_[: len(ANGLES), 3, 12, 12]
    once = quality(solved(made.images, **SOLVERS[solver]), made.truth)
    again = quality(solved(made.images[twice], ANGLES[twice], **SOLVERS[solver]), made.truth)
    assert again > once - 0.01


@pytest.mark.parametrize("odd", ODDITIES)
def test_one_odd_image_costs_no_more_than_itself(odd):
    made = taken()
    voxels = solved(spoilt(made.images, odd))
    assert quality(voxels, made.truth) > without_the_odd_one(free=False) - 0.003


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["blank", "another specimen", "ten times as bright"])
def test_one_odd_image_costs_no_more_where_poses_are_found(odd):
    made = disturbed()
    voxels = solved(spoilt(made.images, odd), poses="rigid")
    assert quality(voxels, made.truth) > without_the_odd_one(free=True) - 0.01


def test_several_odd_images_at_once():
    made = taken()
    images = made.images.copy()
    images[2], images[9], images[20] = 0, images.max(), 5 * images[20]
    others = np.delete(np.arange(len(ANGLES)), (2, 9, 20))
    least = quality(solved(images[others], ANGLES[others]), made.truth)
    assert quality(solved(images), made.truth) > least - 0.005


def with_spikes(images):
    hot = np.random.default_rng(0).random(images.shape) < 1e-3
    return np.where(hot, 20 * images.max(), images)


def test_hot_pixels_are_not_believed():
    made = taken()
    clean = quality(solved(made.images), made.truth)
    assert quality(solved(with_spikes(made.images)), made.truth) > clean - 0.005


def test_hot_pixels_do_not_lead_poses_astray():
    made = disturbed()
    clean = quality(solved(made.images, poses="rigid"), made.truth)
    assert quality(solved(with_spikes(made.images), poses="rigid"), made.truth) > clean - 0.03


@pytest.mark.parametrize("dose", [3, 30])
def test_lone_pixels_alone_are_replaced(dose):
    made = simulate("nanoparticles", (48, 48, 48), Acquisition(tuple(ANGLES), dose=dose), seed=1)
    images = made.series().images
    assert (despiked(images) == images).all()
    spiked = images.clone()
    spiked[0, 3, 10, 0], spiked[0, 4, 47, 47] = 1e4, -1e4
    assert (despiked(spiked) != spiked).sum() == 2
    assert (despiked(spiked) - images).abs().max() < images.max()


def test_weights_tell_odd_images_and_keep_the_others():
    made = taken()
    truth, spoiled = made.series().images, spoilt(made.images, "moved by half the field")
    series = TiltSeries(spoiled, ANGLES)
    explained = weigh(series.images, truth).weights[0].mean((1, 2))
    usual = explained[OTHERS].median()
    assert explained[ODD] < 0.1 * usual
    assert (explained[OTHERS] > 0.5 * usual).all()


@pytest.mark.parametrize("odd", ["blank", "saturated", "ten times as bright"])
def test_contrast_alone_tells_images_of_nothing(odd):
    series = TiltSeries(spoilt(taken().images, odd), ANGLES)
    assert (alike(series.images).numpy() == OTHERS).all()


@pytest.mark.parametrize("sound", [0, 1, 3])
def test_where_most_images_are_blank_all_are_taken(sound):
    images = torch.ones(1, 9, 8, 8)
    images[:, :sound] = torch.rand(1, sound, 8, 8)
    assert alike(images).all()


SHAPES = ((SIDE, 20, 20), (17, SIDE, SIDE), (23, 23, 23), (25, 19, 21))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("solver, least", [("auto", 0.95), ("sirt", 0.85)])
def test_odd_and_unequal_sides(solver, least, shape):
    made = taken(shape=shape)
    voxels = solved(made.images, depth=shape[1], **SOLVERS[solver])
    assert quality(voxels, made.truth) > least


def test_odd_and_unequal_sides_with_a_network():
    cube, odd = taken(), taken(shape=(25, 19, 21))
    ordinary = quality(solved(cube.images, **SOLVERS["siren"]), cube.truth)
    assert quality(solved(odd.images, depth=19, **SOLVERS["siren"]), odd.truth) > ordinary - 0.1


@pytest.mark.parametrize("shape", [(1, 16), (2, 16), (16, 1), (16, 3), (4, 4)], ids=str)
@pytest.mark.parametrize("poses", ["fixed", "rigid"])
def test_a_few_rows_or_columns_are_enough(shape, poses):
    rows, columns = shape
    row, column = (SIDE - rows) // 2, (SIDE - columns) // 2
    images = taken().images[:, row : row + rows, column : column + columns]
    voxels = solved(images, poses=poses, depth=8)
    assert voxels.shape == (rows, 8, columns) and voxels.max() > 0 and np.isfinite(voxels).all()


def test_a_single_slice_is_as_good_as_among_others():
    made, middle = taken(), SIDE // 2
    voxels = solved(made.images[:, middle : middle + 1])
    assert np.corrcoef(voxels.ravel(), made.truth[middle].ravel())[0, 1] > 0.95


WIDE, NARROW, THICK = 96, 32, 8


@cache
def slab():
    """Balls in a slab that goes on outside the field: images (T, 12, 32), truth (12, 8, 32)."""
    rng, rows = np.random.default_rng(1), 12
    fine = np.zeros((rows, WIDE, WIDE), np.float32)
    first = (WIDE - THICK) // 2
    fine[:, first : first + THICK] = 0.25
    y, z, x = np.ogrid[:rows, :WIDE, :WIDE]
    for _ in range(40):
        radius = rng.uniform(1.5, 3)
        at = rng.uniform((0, first + radius, 0), (rows, first + THICK - radius, WIDE))
        fine[(y - at[0]) ** 2 + (z - at[1]) ** 2 + (x - at[2]) ** 2 < radius**2] = 1
    still, side = np.zeros(len(ANGLES)), (WIDE - NARROW) // 2
    images = expose(fine, ANGLES, still, still, still, 1)[:, :, side : side + NARROW]
    return images, bin_by(fine, 1)[:, first : first + THICK, side : side + NARROW]


@cache
def cut_out():
    """Half of the field of a specimen twice as large: images (T, 16, 24), truth (16, 24, 24)."""
    made = taken("core_shell", (16, 48, 48))
    return made.images[:, :, 12:36], made.truth[:, 12:36, 12:36]


def alikeness(voxels, truth):
    return np.corrcoef(voxels.ravel(), truth.ravel())[0, 1]


def middle_of(voxels, shape):
    """The central part of a larger box."""
    first = [(large - small) // 2 for large, small in zip(voxels.shape, shape, strict=True)]
    return voxels[tuple(slice(a, a + n) for a, n in zip(first, shape, strict=True))]


def in_a_larger_box(images, shape, solver="auto"):
    """The part of the given shape, from a box half as wide again on all sides across the axis."""
    rows, depth, columns = shape
    larger = Voxels(Voxels.Options(), Grid((rows, depth + columns, 2 * columns)), 1)
    return middle_of(solved(images, volume=larger, solver=solver), shape)


@pytest.mark.slow
@pytest.mark.parametrize("solver, least", [("auto", 0.98), ("sirt", 0.85)])
def test_a_larger_box_holds_a_slab_wider_than_the_field(solver, least):
    images, truth = slab()
    assert alikeness(in_a_larger_box(images, truth.shape, solver), truth) > least


@pytest.mark.slow
def test_a_larger_box_holds_a_specimen_larger_than_the_field():
    images, truth = cut_out()
    assert alikeness(in_a_larger_box(images, truth.shape), truth) > 0.9


def test_a_slab_wider_than_the_field():
    images, truth = slab()
    assert alikeness(solved(images, depth=THICK), truth) > 0.95


def test_a_strongly_truncated_field():
    images, truth = cut_out()
    assert alikeness(solved(images), truth) > 0.9


def test_nothing_to_see_is_said():
    with pytest.raises(TomoinrError, match="every image is flat"):
        solved(np.zeros((len(ANGLES), SIDE, SIDE)))
