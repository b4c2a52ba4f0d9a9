"""Trust: residuals, halves, the ensemble and the report, against what is known of simulations."""

import json
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import tomoinr
from tomoinr import Reconstruction, TomoinrError
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.sirt import Sirt
from tomoinr.data import TiltSeries
from tomoinr.fsc import Fsc
from tomoinr.geometry import Grid, Poses
from tomoinr.trust import Halves, assess, filled, halves, held_out, residuals, save, uncertainty
from tomoinr.trust.again import again, moderate, predicted, with_views
from tomoinr.trust.halves import crossing, split
from tomoinr.trust.residuals import steepness

TILTS = tuple(range(-60, 61, 3))


@pytest.fixture(scope="module")
def solve(plugins):
    """Simulates and reconstructs, poses held: result and truth."""

    def run(phantom="nanoparticles", size=16, dose=50.0, angles=TILTS, seed=0, **options):
        taken = simulate(phantom, (size,) * 3, Acquisition(angles, dose=dose), seed=seed)
        options = {"quality": "fast", "poses": "fixed"} | options
        return tomoinr.reconstruct(taken.series(), plugins=plugins, **options), taken.truth

    return run


@pytest.fixture(scope="module")
def sound(solve):
    return solve(solver="tv")[0]


def blob(noise, poses=None, angles=TILTS, n=20):
    """A smooth ball as voxels hold it, its own projections, and white noise on them."""
    grid, angles = Grid((n, n, n), 2.0), torch.tensor(angles, dtype=torch.float64)
    voxels = np.exp(-grid.points().square().sum(-1).numpy() / (2 * 5.0**2))
    series = TiltSeries(torch.zeros(len(angles), n, n), angles, 2.0)
    perfect = Reconstruction(voxels, grid, poses or Poses.of(angles), (), series)
    images = predicted(perfect)
    images = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return replace(perfect, series=replace(series, images=images[None]))


def test_a_perfect_result_leaves_the_noise():
    result = blob(2.0)
    fit = residuals(result)
    assert fit.usual == pytest.approx(1, abs=0.06)
    assert fit.chi2 == pytest.approx(1, abs=0.3) and len(fit.outliers) == 0
    assert residuals(replace(result, voxels=2 * result.voxels)).usual > 1.5


@pytest.mark.parametrize("spoil", [lambda x: 0 * x, lambda x: x.roll(2, -1), lambda x: 1.6 * x])
def test_a_spoiled_image_is_found_by_its_section(spoil):
    result = blob(0.5)
    images = result.series.images.clone()
    images[:, 7] = spoil(images[:, 7])
    series = replace(result.series, images=images, sections=tuple(range(100, 141)))
    order = torch.randperm(41, generator=torch.Generator().manual_seed(1)).tolist()
    fit = residuals(with_views(replace(result, series=series), order))
    assert [fit.sections[i] for i in fit.outliers] == [107]
    assert fit.angles[fit.outliers] == TILTS[7]


def test_units_do_not_matter(sound):
    scaled = replace(sound, voxels=1e4 * sound.voxels, series=sound.series.scaled(1e4))
    assert residuals(scaled).chi2 == pytest.approx(residuals(sound).chi2, rel=1e-3)


def test_squares_beyond_32_bits_are_judged_alike(sound, plugins):
    factor = 2.0**100
    far = replace(sound, voxels=sound.voxels * factor, series=sound.series.scaled(factor))
    usual, judged = (assess(result, True, members=2, plugins=plugins) for result in (sound, far))
    assert judged.warnings == usual.warnings == ()
    assert judged.residuals.chi2 == pytest.approx(usual.residuals.chi2, rel=1e-3)
    assert judged.halves.curves.measured == pytest.approx(usual.halves.curves.measured, abs=1e-3)
    for found, wanted in (
        (judged.halves.first, usual.halves.first),
        (judged.uncertainty.voxels, usual.uncertainty.voxels),
    ):  # in the images' own units
        close = 1e-3 * float(wanted.max())
        assert found / factor == pytest.approx(wanted, rel=1e-3, abs=close)


@pytest.mark.parametrize("peak", [1e-42, 1e-38, 1e30, 3e38])
def test_any_size_of_numbers_is_made_moderate(sound, peak):
    images = sound.series.images / sound.series.images.max()
    series = replace(sound.series, images=images * peak)
    moderated, factor = moderate(replace(sound, series=series))
    assert 1e-10 < float(moderated.series.images.max()) < 8 and np.log2(factor) % 1 == 0
    assert moderate(sound) == (sound, 1.0)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
def test_lone_rows_and_columns_have_no_slope_across(shape):
    images = torch.arange(9.0).expand(3, 9)[:, : max(shape)].reshape(3, *shape)
    assert (steepness(images) == (1.0 if max(shape) > 1 else 0.0)).all()


def test_one_row_of_pixels_can_be_judged(plugins):
    taken = simulate("nanoparticles", (16, 16, 16), Acquisition(TILTS, dose=50), seed=0).series()
    row = replace(taken, images=taken.images[:, :, 8:9])
    judged = assess(tomoinr.reconstruct(row, solver="tv", quality="fast", plugins=plugins))
    assert 0 < judged.residuals.usual < 2 and judged.halves.curves.means()[0] > 0.5
    choices = {name: {"solver": name, "quality": "fast"} for name in ("tv", "sirt")}
    assert all(np.isfinite(one.misfit) for one in held_out(row, choices, plugins=plugins))


def test_images_are_predicted_where_the_axis_leaves_the_detector():
    angles = torch.tensor(TILTS, dtype=torch.float64)
    flat, nearly = (predicted(blob(0.0, Poses.of(angles, 0.0, out))) for out in (0.0, 0.01))
    tilted = predicted(blob(0.0, Poses.of(angles, 0.0, 40.0)))
    assert torch.allclose(flat, nearly, atol=0.02 * float(flat.max()))
    assert torch.allclose(flat, tilted, atol=0.02 * float(flat.max()))  # a ball shows no turn


def test_the_same_recipe_again_gives_the_same(sound, plugins):
    assert np.array_equal(again(sound, plugins=plugins), sound.voxels)


def test_a_lower_quality_takes_no_more_steps(solve, plugins):
    result, _ = solve(solver="tv", steps=3)
    assert np.array_equal(again(result, "fast", plugins=plugins), result.voxels)


def test_a_recipe_with_objects_cannot_be_run_again(solve, plugins):
    result, _ = solve(solver=Sirt(Sirt.Options(steps=2)))
    with pytest.raises(TomoinrError, match=r"names no solver.*give parts by name"):
        again(result, plugins=plugins)


def test_halves_take_every_other_angle_in_any_order():
    angles = torch.tensor([30.0, -30, 0, 10, -10, 20])
    first, second = split(TiltSeries(torch.rand(6, 4, 4), angles))
    assert (first, second) == ([1, 2, 5], [0, 3, 4])


def test_halves_agree_the_more_the_better_the_data(solve, plugins):
    measured = [
        halves(solve("ellipsoids", dose=dose, solver="tv")[0], plugins=plugins).curves.means()[0]
        for dose in (0.3, 3.0, np.inf)
    ]
    assert measured[0] + 0.1 < measured[1] < measured[2] - 0.03
    assert measured[2] > 0.97


def test_halves_use_the_poses_found(plugins):
    taken = simulate("nanoparticles", (20,) * 3, Acquisition(TILTS, dose=50, shift=1.5), seed=0)
    shift = torch.tensor(np.stack((taken.dx, taken.dy), 1))
    agreement = []
    for poses in (Poses.of(torch.tensor(TILTS).double(), shift=shift), None):
        result = tomoinr.reconstruct(
            taken.series(), start=poses, poses="fixed", solver="tv", steps=60, plugins=plugins
        )
        agreement.append(halves(result, plugins=plugins).curves.means(0.5)[0])
    assert agreement[0] > 0.95 and agreement[1] < 0.6


def test_three_tilts_have_no_halves(solve, plugins):
    result, _ = solve(angles=(-40, 0, 40))
    with pytest.raises(TomoinrError, match="too few tilts to compare two halves"):
        halves(result, plugins=plugins)
    judged = assess(result, full=True, plugins=plugins)
    assert judged.halves is None and judged.uncertainty is None
    assert json.loads(json.dumps(judged.table(), allow_nan=False))["halves"] is None


@pytest.mark.parametrize(
    ("curve", "where"),
    [
        ([0.9, 0.7, 0.3, 0.1], 0.25),
        ([0.9, 0.8, 0.7, 0.6], 0.4),
        ([0.9, np.nan, 0.3, 0.9], 0.1 + 0.2 * 4 / 6),
        ([0.4, 0.9, 0.9, 0.9], np.nan),
        ([np.nan] * 4, np.nan),
    ],
)
def test_where_a_curve_falls_below_a_level(curve, where):
    frequency = np.array([0.1, 0.2, 0.3, 0.4])
    assert crossing(frequency, np.array(curve), 0.5) == pytest.approx(where, nan_ok=True)
    none = np.full(4, np.nan)
    compared = Halves(none, none, Fsc(frequency, np.array(curve), none), 3.0)
    assert compared.resolution(0.5) == pytest.approx(3.0 / where, nan_ok=True)


def test_power_in_the_wedge():
    """White noise fills every direction alike; layers across the beam, and along it, do not."""
    noise, tilts = np.random.default_rng(0).normal(size=(24, 24, 24)), np.array(TILTS)
    assert filled(noise, tilts) == pytest.approx(1, abs=0.1)
    assert filled(np.cumsum(noise, axis=2), tilts) > 2
    assert filled(np.cumsum(noise, axis=1), tilts) < 0.3
    assert np.isnan(filled(noise, np.arange(-90, 90, 1.0)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phantom", "dose", "covered", "in_specimen", "rank"),
    [("nanoparticles", 1.0, 0.97, 0.85, 0.45), ("ellipsoids", 2.0, 0.95, 0.85, 0.65)],
)
def test_the_expected_error_is_the_error(solve, plugins, phantom, dose, covered, in_specimen, rank):
    """Where noise rules; where the lattice does, `fast` expects half of it (docs/trust.md).

    Means over three specimens, since each has its luck.
    """
    found = []
    for seed in range(3):
        result, truth = solve(phantom, 20, dose, seed=seed)
        expected = uncertainty(result, plugins=plugins)
        error = np.abs(result.voxels - truth)
        within, specimen = error < 2 * expected.voxels, truth > 0.05
        ranked = spearmanr(error.ravel(), expected.voxels.ravel())[0]
        ratio = np.sqrt(np.square(expected.voxels).mean() / np.square(error).mean())
        part = within[specimen].mean()
        found.append((within.mean(), part, ranked, ratio, expected.factor))
    everywhere, inside, ranked, ratio, factor = np.mean(found, 0)
    assert everywhere > covered and inside > in_specimen
    assert ranked > rank
    assert 0.7 < ratio < 1.3
    # Halves disagree as much as the noise model says, and for choosing their strengths apart.
    assert 0.8 < factor < 1.6


def test_less_noise_is_less_uncertain(solve, plugins):
    sizes = []
    for dose in (1.0, 30.0):
        result, _ = solve(dose=dose, solver="tv")
        error = uncertainty(result, members=2, plugins=plugins).voxels
        sizes.append(float(np.sqrt(np.square(error).mean())))
    assert sizes[1] < 0.7 * sizes[0]
    with pytest.raises(TomoinrError, match="at least two members, got 1"):
        uncertainty(result, members=1, plugins=plugins)


def test_channels_are_judged_one_by_one(sound, plugins):
    noisy = sound.series.images + 3 * torch.randn(sound.series.images.shape)
    images, names = torch.cat((noisy, sound.series.images)), ("noisy", "clean")
    both = replace(
        sound,
        series=replace(sound.series, images=images, channels=names),
        voxels=np.stack((sound.voxels, sound.voxels)),
    )
    judged, alone = assess(both, channel=1, plugins=plugins), assess(sound, plugins=plugins)
    assert judged.channel == "clean"
    assert np.array_equal(judged.halves.first, alone.halves.first)
    assert judged.table() | {"channel": "signal"} == alone.table()
    with pytest.raises(TomoinrError, match="no channel 2; there are 2"):
        assess(both, channel=2, plugins=plugins)


def test_the_report_is_for_people_and_programs(sound, plugins, tmp_path):
    judged = assess(sound, full=True, members=2, plugins=plugins)
    assert save(tmp_path, judged, sound, "xyz", plugins=plugins) == (
        "trust.json",
        "uncertainty.mrc",
    )
    table = json.loads((tmp_path / "trust.json").read_text("utf-8"))
    assert table["warnings"] == [] and table["channel"] == "signal"
    assert [tilt["angle"] for tilt in table["chi2"]["tilts"]] == list(TILTS)
    assert len(table["halves"]["measured"]) == len(table["halves"]["frequency"]) == 8
    assert "share the prior" in table["halves"]["caveat"]
    assert "missing wedge" in table["uncertainty"]["caveat"]
    volume = mrcfile.read(tmp_path / "uncertainty.mrc")
    assert np.array_equal(volume, np.rot90(judged.uncertainty.voxels, 1, axes=(0, 1)))
    lines = list(judged.lines())
    assert lines[-1] == "no warnings" and str(judged) == "\n".join(lines)
    known = str(replace(judged, halves=replace(judged.halves, spacing=2.0)))
    assert known.count(" at 4 Å") == 2 and " at 2 voxels" not in known
    assert str(judged).count(" at 2 voxels") == 2 and " Å" not in str(judged)  # of unknown size
    with pytest.raises(TomoinrError, match="already exists"):
        save(tmp_path, judged, sound, plugins=plugins)
    quick = replace(judged, uncertainty=None)
    assert save(tmp_path, quick, sound, force=True, plugins=plugins) == ("trust.json",)
    left = [path.name for path in tmp_path.iterdir()]
    assert left == ["trust.json"]  # an uncertainty of another result would mislead
