"""The simulator: geometry against formulas, and statistics against what was asked for."""

from itertools import product

import numpy as np
import pytest

from tomoinr.builtin.phantoms import PHANTOMS
from tomoinr.builtin.simulate import Acquisition, expose, simulate
from tomoinr.builtin.solids import Canvas, bin_by, ellipsoid
from tomoinr.errors import TomoinrError

ANGLES = tuple(np.linspace(-60, 60, 9))
SHAPE = (24, 32, 32)
ALL_ERRORS = {"shift": 1.0, "rotation": 0.5, "tilt_error": 0.3, "gain_drift": 0.05}
POSES = ("tilt", "phi", "dx", "dy", "gain")


def places(n, finer=1):
    """Centres of an axis's (fine) pixels, in pixels."""
    return (np.arange(n * finer) - (n * finer - 1) / 2) / finer


def still(*tilts):
    """Poses without any error."""
    return np.array(tilts, float), *(np.zeros(len(tilts)) for _ in range(3))


@pytest.mark.parametrize(("sx", "sz"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_a_blob_lands_where_the_formula_says(sx, sz):
    shape, finer, at = (30, 36, 33), 2, np.array([sx * 5.3, 3.1, sz * 4.2])
    y, z, x = np.meshgrid(*(places(n, finer) for n in shape), indexing="ij")
    square = (x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2
    blob = np.exp(-square / (2 * 1.2**2)).astype(np.float32)
    poses = np.array(list(product((-40, 0, 25), (-7, 7), (-1.3, 1.3), (-0.8, 0.8)))).T
    images = expose(blob, *poses, finer)
    across = (images.sum(1) @ places(shape[2])) / images.sum((1, 2))
    along = (images.sum(2) @ places(shape[0])) / images.sum((1, 2))
    tilt, phi, dx, dy = np.deg2rad(poses[0]), np.deg2rad(poses[1]), *poses[2:]
    u = at[0] * np.cos(tilt) - at[2] * np.sin(tilt)
    assert np.abs(across - (u * np.cos(phi) - at[1] * np.sin(phi) + dx)).max() < 1e-3
    assert np.abs(along - (u * np.sin(phi) + at[1] * np.cos(phi) + dy)).max() < 1e-3


@pytest.mark.parametrize("finer", [2, 3])
def test_a_ball_casts_its_chords(finer):
    n, radius, (bx, by, bz) = 32, 8.0, (3.2, -1.7, 2.4)
    canvas = Canvas((n * finer,) * 3)
    canvas.draw(ellipsoid(np.array([bx, by, bz]) / (n / 2), radius / (n / 2)), 0.7)
    tilts = np.array([-65, -30, 0, 12.5, 45, 70])
    images = expose(canvas.volume(), *still(*tilts), finer)
    fine = places(n, 20)
    for image, tilt in zip(images, np.deg2rad(tilts), strict=True):
        u = bx * np.cos(tilt) - bz * np.sin(tilt)
        square = (fine - u) ** 2 + (fine[:, None] - by) ** 2
        chord = bin_by(0.7 * 2 * np.sqrt(np.clip(radius**2 - square, 0, None)), 20)
        assert np.abs(image - chord).max() < 0.006 * chord.max()
        assert np.abs(image - chord)[chord > 0.6 * chord.max()].max() < 0.003 * chord.max()


@pytest.mark.parametrize("name", PHANTOMS)
def test_every_tilt_sees_the_whole_specimen(name):
    made = simulate(name, (36, 32, 36), Acquisition(ANGLES), seed=0)
    assert made.images.dtype == np.float32 and made.images.min() >= 0
    assert made.images.sum((1, 2)) == pytest.approx(made.truth.sum(), rel=2e-3)


def test_truth_is_the_phantom():
    made = simulate("ellipsoids", SHAPE, Acquisition((0.0,), oversample=3), seed=5)
    assert np.abs(made.truth - PHANTOMS["ellipsoids"](SHAPE, 5)).max() < 0.01
    assert made.images[0] == pytest.approx(made.truth.sum(axis=1), abs=1e-3)


def test_oversampling_changes_little():
    two, three = (
        simulate("nanoparticles", SHAPE, Acquisition((-50.0, 20.0), oversample=k), 0).images
        for k in (2, 3)
    )
    assert np.linalg.norm(two - three) < 0.01 * np.linalg.norm(three)


def test_the_same_seed_gives_the_same_poses_at_any_dose():
    low, high, other = (
        simulate("asymmetric", SHAPE, Acquisition(ANGLES, dose=dose, **ALL_ERRORS), seed)
        for dose, seed in ((5, 1), (500, 1), (5, 2))
    )
    for name in POSES:
        assert np.array_equal(getattr(low, name), getattr(high, name))
        assert not np.array_equal(getattr(low, name), getattr(other, name))
    again = simulate("asymmetric", SHAPE, low.acquisition, 1)
    assert np.array_equal(low.images, again.images)


def test_one_setting_leaves_the_other_errors_alone():
    few, all_ = (
        simulate("asymmetric", (8, 8, 8), Acquisition(ANGLES, shift=2.0, **more), 0)
        for more in ({}, {"rotation": 1.0, "gain_drift": 0.1, "tilt_error": 1.0})
    )
    assert np.array_equal(few.dx, all_.dx) and np.array_equal(few.dy, all_.dy)
    assert np.array_equal(few.tilt, few.angles) and not few.phi.any() and (few.gain == 1).all()


def test_errors_have_the_rms_asked_for():
    angles = tuple(np.linspace(-70, 70, 400))
    asked = Acquisition(angles, oversample=1, axis=3.0, **ALL_ERRORS)
    made = simulate("asymmetric", (4, 4, 4), asked, 0)
    for error, rms in ((made.dx, 1), (made.dy, 1), (made.phi - 3, 0.5), (made.tilt - angles, 0.3)):
        assert np.sqrt(np.mean(error**2)) == pytest.approx(rms, rel=0.15)
    assert np.std(made.gain) == pytest.approx(0.05, rel=0.1)
    assert np.abs(np.diff(made.gain)).max() < 0.01  # slow


def test_counts_are_poisson_at_the_dose_asked_for():
    settings = {"background": 0.5, "gain_drift": 0.05}
    clean = simulate("ellipsoids", SHAPE, Acquisition(ANGLES, **settings), 0)
    noisy = simulate("ellipsoids", SHAPE, Acquisition(ANGLES, dose=20, **settings), 0)
    counts, expected = (m.images.astype(float) * noisy.counts_per_unit for m in (noisy, clean))
    assert np.isinf(clean.counts_per_unit)
    assert np.abs(counts - counts.round()).max() < 1e-3
    assert expected.mean() == pytest.approx(20, rel=1e-4)
    assert counts.mean() == pytest.approx(20, rel=0.01)
    assert np.mean((counts - expected) ** 2 / expected) == pytest.approx(1, abs=0.05)


def test_background_and_gain():
    plain = simulate("core_shell", SHAPE, Acquisition(ANGLES), 0)
    made = simulate("core_shell", SHAPE, Acquisition(ANGLES, background=0.2, gain_drift=0.1), 0)
    expected = made.gain[:, None, None] * plain.images + 0.2 * plain.images.mean()
    assert np.allclose(made.images, expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"angles": ()}, {"dose": 0}, {"oversample": 0}])
def test_what_cannot_be_taken_is_refused(wrong):
    with pytest.raises(TomoinrError, match="needs angles"):
        Acquisition(**{"angles": ANGLES, **wrong})


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", ["shift", "rotation", "tilt_error", "background", "gain_drift"])
def test_errors_must_be_finite_and_not_negative(name, value):
    with pytest.raises(TomoinrError, match=f"{name} must be finite and from 0, got {value}"):
        Acquisition(ANGLES, **{name: value})


@pytest.mark.parametrize("wrong", [{"angles": (0.0, np.nan)}, {"axis": np.inf}])
def test_directions_must_be_finite(wrong):
    with pytest.raises(TomoinrError, match="finite numbers in degrees"):
        Acquisition(**{"angles": ANGLES, **wrong})
    assert Acquisition(ANGLES, axis=-5.0).axis == -5


def test_an_unknown_phantom_is_named_with_the_nearest():
    with pytest.raises(TomoinrError, match=r"'dendrit'.*Did you mean 'dendrite'"):
        simulate("dendrit", SHAPE, Acquisition(ANGLES), 0)
