"""The fused solver: right at a twentieth of a count a pixel, better together, nothing made up."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import TiltSeries
from tomoinr.builtin.edges import divergence, gradient
from tomoinr.builtin.elements import counted, shifts
from tomoinr.builtin.fused import Fused
from tomoinr.builtin.fused.counts import Counting, nearest
from tomoinr.builtin.fused.guide import along, mixture, normals
from tomoinr.builtin.fused.iterates import Coupling, Iterates
from tomoinr.builtin.fused.signals import signal
from tomoinr.io import gather
from tomoinr.metrics import unseen_removed
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.solvers import small_problem
from tomoinr.testing.threads import together

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
ANGLES = tuple(range(-60, 61, 10))


class TestFused(SolverContract):
    @pytest.fixture
    def part(self):
        return Fused, {"rounds": 1, "round_steps": 20}


def flat(mean, seed=0, gain=1.0, extra=0.0):
    """Images whose expected counts rise from none to twice the mean along a row."""
    rng = np.random.default_rng(seed)
    ramp = np.broadcast_to(np.linspace(0, 2 * mean, 64), (24, 64, 64))
    images = rng.poisson(ramp) + extra * rng.normal(size=ramp.shape)
    return TiltSeries(torch.tensor(images * gain, dtype=torch.float32), torch.arange(24.0))


@pytest.mark.parametrize("mean", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("gain", [1.0, 37.0])
def test_faint_counts_are_found_to_be_counts(mean, gain):
    assert Counting.of(flat(mean, gain=gain), "measured") == Counting(pytest.approx(gain))


def test_other_noise_has_its_variance():
    for noise, extra in (("measured", 0.8), ("gaussian", 0.8)):
        series = flat(1.0, gain=5.0, extra=extra)
        found = Counting.of(series, noise)
        variance = found.gain**2 * (1.0 * 5 / found.gain + found.background)
        assert variance == pytest.approx(25 * (1 + extra**2), rel=0.1)
    assert Counting.of(flat(1.0), "poisson", weight=3.0).gain == pytest.approx(1 / 3)


def test_the_nearest_point_minimises_what_it_says():
    """Against a search in double precision, with no count and with many, near and far."""
    at = torch.linspace(-5, 60, 400_001, dtype=torch.float64)
    for counts in (0.0, 1.0, 7.0):
        for background in (0.0, 2.0):
            for place, pull, size in ((-3.0, 0.5, 1.0), (4.0, 0.1, 0.3), (2.0, 50.0, 2.0)):
                rate = size * at + background
                cost = rate - counts * rate.clamp(min=1e-300).log() + pull / 2 * (at - place) ** 2
                cost[rate < 0] = torch.inf
                wanted = float(at[cost.argmin()])
                values = (torch.tensor(v, dtype=torch.float64) for v in (place, counts))
                found = nearest(*values, size, background, torch.tensor(pull).double())
                assert float(found) == pytest.approx(wanted, abs=4e-4)


def test_surprise_has_poissons_slope_and_bears_empty_pixels():
    counting = Counting(2.0, 0.5)
    images = 2.0 * torch.poisson(torch.full((4, 4), 0.3))
    expected = (2 * torch.rand(4, 4) + 0.1).requires_grad_()
    (slope,) = torch.autograd.grad(counting.surprise(expected, images).sum(), expected)
    rate = expected.detach() / 2 + 0.5
    assert torch.allclose(slope, (1 - (images / 2 + 0.5) / rate) / 2, atol=1e-5)
    dark = Counting(1.0).surprise(torch.zeros(3), torch.tensor([0.0, 1.0, 5.0]))
    assert bool(dark.isfinite().all())


@pytest.mark.parametrize("caution", [0.1, 1.0])
def test_totals_are_right_at_a_twentieth_of_a_count(caution):
    """The mean of eight takes, to within three standard errors, however edges are kept down."""
    problem, found = small_problem(), []
    clean = problem.series.images
    rate = 0.05 / float(clean.mean())
    counted_ = []
    for seed in range(8):
        counts = torch.poisson(clean * rate, torch.Generator().manual_seed(seed))
        series = replace(problem.series, images=counts)
        one = signal(replace(problem, series=series), Solo(), Counting(1.0), 2.5)
        iterates = Iterates([one], Coupling((caution,)), Solo())
        for _ in range(40):
            loss = iterates.step()
        assert bool(loss.isfinite()) and bool(iterates.x.isfinite().all())
        shown = one.map.forward(iterates.densities())
        found.append(float(shown.sum()))
        counted_.append(float(counts.sum()))
    expected = float((clean * rate).sum())
    assert np.allclose(found, counted_, rtol=1e-3)
    assert np.mean(found) == pytest.approx(expected, abs=3 * (expected / 8) ** 0.5)


def test_without_edges_the_likelihood_is_at_its_best():
    """Where no prior holds it back the gradient of the log-likelihood vanishes, or x does."""
    problem = small_problem()
    counts = torch.poisson(problem.series.images * 20 / problem.series.images.mean())
    series = replace(problem.series, images=counts)
    one = signal(replace(problem, series=series), Solo(), Counting(1.0, 3.0), 2.5)
    iterates = Iterates([one], Coupling((0.0,)), Solo())
    losses = [float(iterates.step()) for _ in range(300)]
    rate = one.expected(iterates.last)
    slope = one.map.adjoint(1 - one.counts / rate) / one.seen
    start = one.map.adjoint(1 - one.counts / one.counts.mean()) / one.seen
    inside = iterates.last > 1e-3 * iterates.last.max()
    assert float(slope[inside].square().mean()) < 1e-3 * float(start.square().mean())
    assert float(slope[~inside].min()) > -0.05
    assert losses[-1] < losses[5]


def test_edges_of_the_guide_are_free_and_others_cost_the_same():
    box = torch.zeros(1, 8, 8, 8)
    box[:, 2:6, 2:6, 2:6] = 1
    ways = normals(box)
    free = along(gradient(0.3 * box), ways).square().sum((0, 1)).sqrt()
    assert float(free.sum()) < 0.02 * float(gradient(0.3 * box).square().sum((0, 1)).sqrt().sum())
    elsewhere = torch.zeros(1, 8, 8, 8)
    elsewhere[:, :, :, 7:] = 1
    assert torch.allclose(along(gradient(elsewhere), ways), gradient(elsewhere), atol=1e-3)
    x, y = torch.rand(2, 8, 8, 8), torch.rand(3, 2, 8, 8, 8)
    forth, back = along(gradient(x), ways), divergence(along(y, ways))
    assert float((forth * y).sum()) == pytest.approx(-float((x * back).sum()), rel=1e-4)


def counts_of(seed, dose=20):
    """A signal with the counts of a take of the small problem."""
    problem = small_problem()
    rate = problem.series.images * dose / problem.series.images.mean()
    counts = torch.poisson(rate, torch.Generator().manual_seed(seed))
    series = replace(problem.series, images=counts)
    return signal(replace(problem, series=series), Solo(), Counting(1.0), 2.5)


def converged(signals, cautions, joint):
    iterates = Iterates(signals, Coupling(cautions, joint=joint), Solo())
    for _ in range(400):
        iterates.step()
    return iterates


def test_joint_total_variation_of_equal_channels_is_that_of_one():
    """|(∇x, ∇x)| is √2 |∇x|, where the sum is 2 |∇x|."""
    one = counts_of(0)
    single = converged([one], (0.5,), joint=False)
    both = converged([one, one], (0.5 * 2**0.5,) * 2, joint=True)
    assert torch.allclose(both.last, single.last.expand_as(both.last), atol=2e-3)
    apart = converged([one, one], (0.5 * 2**0.5,) * 2, joint=False)
    assert not torch.allclose(both.last, apart.last, atol=2e-2)


def test_each_total_variation_is_lowest_where_it_was_asked_for():
    signals, costs = [counts_of(0), counts_of(1, dose=5)], {}
    for joint in (False, True):
        found = converged(signals, (0.7, 0.4), joint)
        misfit = sum(
            float((rate - one.counts * rate.log()).sum())
            for one, x in zip(signals, found.last, strict=True)
            for rate in [one.expected(x[None].contiguous()).clamp(min=1e-3)]
        )
        edges = found.strength * gradient(found.last).square().sum(0).sqrt()
        costs[joint] = misfit + float(edges.sum()), misfit + float(edges.norm(dim=0).sum())
    assert costs[False][0] < costs[True][0]
    assert costs[True][1] < costs[False][1]


@pytest.mark.parametrize("power", [1.0, 1.7])
def test_parts_and_power_of_a_mixture_are_found(power):
    channels = torch.rand(3, 12, 12, 12) ** 3
    parts = torch.tensor([2.0, 0.0, 0.7])
    total = (parts[:, None, None, None] * channels).sum(0, keepdim=True)
    found = mixture(total**power, channels)
    assert found.power == power and found.misfit < 1e-4
    assert float(found.parts[1]) < 1e-6
    assert float(found.parts[0] / found.parts[2]) == pytest.approx(2 / 0.7, rel=1e-3)
    assert mixture(total, channels, power=2.0).power == 2.0


def counts(seed):
    doses = {"HAADF": 100.0, "Fe": 0.6, "Co": 1.0, "C": 0.3}
    return counted(20, seed, tuple(range(-60, 61, 5)), doses)


@pytest.fixture(scope="module")
def taken():
    return counts(1)


def fused(series, **options):
    solver = {"name": "fused", "rounds": 2, "round_steps": 20, "iterations": 60, **options}
    return tomoinr.reconstruct(series, solver=solver, poses="fixed", quality="fast")


def all_together(taken):
    return fused(gather({name: one.series for name, one in taken.items()}))


@pytest.fixture(scope="module")
def joint(taken):
    return all_together(taken)


def gains(taken, joint):
    """SSIM and PSNR over SIRT's best iteration and the automatic solver, of each element."""
    for i, (name, one) in enumerate(taken.items()):
        if name == "HAADF":
            continue
        tried = [{"name": "sirt", "steps": n} for n in (3, 10, 30)]
        tried += [{"name": "tv", "weight": w} for w in (0.15, 0.4)]
        tried.append({"name": "auto", "rounds": 2, "round_steps": 20})
        alone = [
            one.score(tomoinr.reconstruct(one.series, solver=s, poses="fixed").voxels)
            for s in tried
        ]
        ours = one.score(joint.voxels[i])
        yield ours.ssim - max(a.ssim for a in alone), ours.psnr - max(a.psnr for a in alone)


def test_together_is_better_than_each_alone(taken, joint):
    """Mean over the elements of two specimens: one of them may be unlucky in its noise."""
    other = counts(0)
    found = [*gains(taken, joint), *gains(other, all_together(other))]
    ssim, psnr = np.mean(found, 0)
    assert ssim > 0.01 and psnr > 0.5, found


def test_notes_tell_what_was_found(taken, joint):
    told = "\n".join(joint.notes)
    assert "poses of all channels come from HAADF (the strongest signal)" in told
    level = float(taken["Fe"].series.images.mean())
    assert level == pytest.approx(0.6, rel=0.05)
    assert f"Fe: {level:.3g} counts a pixel; edges kept down by" in told
    assert "HAADF is taken for (" in told or "gives edges only" in told


def test_a_channel_with_nothing_in_common_is_not_made_up(taken):
    """A ball of an element that HAADF does not see at all keeps its place and its total."""
    y, z, x = np.meshgrid(*[np.arange(20) - 9.5] * 3, indexing="ij")
    ball = ((y**2 + (z - 3) ** 2 + (x + 4) ** 2) < 3.5**2).astype(np.float32)
    angles = taken["HAADF"].series.angles
    clean = tomoinr.builtin.simulate.expose(
        ball, angles.numpy(), *[np.zeros(len(angles))] * 3, oversample=1
    )
    rate = 1.0 / clean.mean()
    counts = np.random.default_rng(0).poisson(clean * rate).astype(np.float32)
    dark = taken["HAADF"].series
    series = gather({"HAADF": dark, "X": TiltSeries(counts, angles), "Co": taken["Co"].series})
    result = fused(series)
    found = result.voxels[1] / rate
    assert found[ball > 0].mean() == pytest.approx(1, abs=0.2)
    seen = result.voxels[0] > 0.2 * result.voxels[0].max()
    outside = (ball == 0) & ~seen
    elsewhere = (ball == 0) & seen
    assert found[elsewhere].mean() < 0.05
    assert found[outside].mean() < 0.05


@pytest.mark.slow
def test_weights_and_units_do_not_matter_where_they_should_not(taken):
    """HAADF × 50 in another unit: the maps stay, and come out in their own."""
    names = ("HAADF", "Co")
    parts = {name: taken[name].series for name in names}
    one = fused(gather(parts))
    parts["HAADF"] = parts["HAADF"].scaled(50.0)
    other = fused(gather(parts))
    assert np.allclose(one.voxels[0] * 50, other.voxels[0], rtol=1e-2, atol=1e-2 * 50)
    assert np.allclose(one.voxels[1], other.voxels[1], atol=2e-2 * one.voxels[1].max())


def test_two_ranks_equal_one():
    doses = {"HAADF": 50.0, "Fe": 1.0}
    taken = counted(12, 2, ANGLES, doses, fewer={"Fe": 2})
    series = gather({name: one.series for name, one in taken.items()})
    options = {"rounds": 1, "round_steps": 10, "iterations": 10, "caution": 1.0}
    solver = {"name": "fused", **options}

    def solve(team):
        return tomoinr.reconstruct(series, solver=solver, poses="fixed", team=team).voxels

    alone = solve(Solo())
    for found in together(2, solve):
        assert np.allclose(found, alone, rtol=1e-3, atol=1e-3 * alone.max((1, 2, 3)).min())


@pytest.mark.slow
@pytest.mark.parametrize(("leads", "left"), [((), 20), (("HAADF", "Co"), 75)])
def test_a_stopped_run_goes_on(taken, tmp_path, leads, left):
    """In the second part, where maps are iterated; while two channels find poses together."""
    from tomoinr.checkpoint import Checkpoints, Stopped

    series = gather({name: taken[name].series for name in ("HAADF", "Co")}, poses_from=leads)
    options = {"solver": {"name": "fused", "rounds": 2, "round_steps": 20, "iterations": 60}}
    options |= {"poses": "rigid" if leads else "fixed", "quality": "fast"}
    whole = tomoinr.reconstruct(series, **options)
    signals = iter([None] * (len(whole.history) - left) + ["SIGTERM"] + [None] * 1000)
    stopping = Checkpoints(tmp_path / "kept", "never", asked=lambda: next(signals))
    with pytest.raises(Stopped):
        tomoinr.reconstruct(series, **options, checkpoints=stopping)
    going_on = Checkpoints(tmp_path / "kept", "never", resume=True)
    again = tomoinr.reconstruct(series, **options, checkpoints=going_on)
    assert len(again.history) == len(whole.history)
    assert np.allclose(again.voxels, whole.voxels, rtol=1e-4, atol=1e-5)
    assert torch.allclose(again.poses.shift, whole.poses.shift, atol=1e-4)


def test_the_benchmark_counts_gain_over_the_best(monkeypatch):
    from importlib import import_module

    from tomoinr.metrics import Score

    benchmark = import_module("channels")
    a, b, c = (Score(0.5, 20.0), Score(0.6, 19.0), Score(0.4, 18.0))
    by = dict(zip(benchmark.SINGLE, (a, b, c), strict=True))
    scores = {
        "Fe": by | {benchmark.JOINT: Score(0.7, 22.0)},
        "C": by | {benchmark.JOINT: Score(0.6, 20.0)},
    }
    assert benchmark.gain(scores) == pytest.approx({"ssim": 0.05, "psnr": 1.0})


@pytest.mark.slow
def test_poses_of_the_strongest_serve_all():
    """Shifts of 1.5 px, found from HAADF, which lacks every third tilt that iron has."""
    angles, doses = tuple(range(-60, 61, 4)), {"HAADF": 100.0, "Fe": 1.0}
    taken = counted(24, 1, angles, doses, shift=1.5)
    seen = [i for i in range(len(angles)) if i % 3 != 1]
    parts = {"HAADF": taken["HAADF"].series.select(seen), "Fe": taken["Fe"].series}
    series = gather(parts)
    solver = {"name": "fused", "rounds": 2, "round_steps": 20, "iterations": 40}
    result = tomoinr.reconstruct(series, solver=solver, quality="fast")
    assert any("images that it lacks" in note for note in result.notes)
    dx, dy = shifts(angles, 1, 1.5)
    order = [angles.index(round(float(a))) for a in series.angles]
    truth = np.stack((dx[order], dy[order]), 1)
    off = result.poses.shift.numpy() - truth
    near = len(seen)
    tilts = np.array(angles, float)[order]
    errors = unseen_removed(*off[:near].T, tilts[:near])
    assert np.sqrt(np.square(errors).mean()) < 0.15
    assert np.isfinite(off).all() and np.abs(off[near:]).max() < 5


def pose_error(taken, names):
    """Of shifts found from the channels named: rms, pixels, over all tilts."""
    angles = tuple(range(-60, 61, 4))
    solver = {"name": "fused", "iterations": 1, "caution": 1.0, "sums": False, "joint": "no"}
    series = gather({name: one.series for name, one in taken.items()}, poses_from=names)
    result = tomoinr.reconstruct(series, solver=solver)
    if len(names) > 1:
        assert "(together)" in result.notes[0]
    order = [angles.index(round(float(a))) for a in series.angles]
    off = result.poses.shift.numpy() - np.stack(shifts(angles, 0, 1.5), 1)[order]
    left = unseen_removed(*off.T, np.array(angles, float)[order])
    return float(np.sqrt(np.square(left).mean()))


@pytest.mark.slow
def test_poses_from_two_channels_are_better_than_from_either():
    taken = counted(24, 0, tuple(range(-60, 61, 4)), {"Co": 4.0, "Fe": 4.0}, shift=1.5)
    alone = [pose_error(taken, [name]) for name in taken]
    assert pose_error(taken, ["Co", "Fe"]) < 0.97 * min(alone)


@pytest.mark.slow
def test_channels_that_poses_come_from_need_not_be_alike():
    """Cobalt has pixels twice as large, iron every other tilt: the rest are found from cobalt."""
    doses = {"Co": 20.0, "Fe": 20.0}
    taken = counted(24, 0, tuple(range(-60, 61, 4)), doses, {"Co": 2}, {"Fe": 2}, shift=1.5)
    assert pose_error(taken, ["Co", "Fe"]) < 0.2
    assert pose_error(taken, ["Fe"]) > 0.8
