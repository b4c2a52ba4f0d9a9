"""Noise that is held back: independent of what is learned from, and it says when to stop."""

from dataclasses import replace

import pytest
import torch

from tomoinr.builtin.joint import Joint
from tomoinr.builtin.thinning import held_out, thinned
from tomoinr.team import Solo
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import go_on, small_problem

SHAPE = (1, 24, 48, 48)


def counts(brightness):
    """Counts of various means, in any unit; their expected values."""
    ramp = torch.linspace(1, 9, SHAPE[3]).expand(SHAPE)
    return brightness * torch.poisson(ramp), brightness * ramp


def read_out(brightness):
    """Noise that is the same everywhere."""
    flat = torch.full(SHAPE, 5.0)
    return brightness * (flat + torch.randn(SHAPE)), brightness * flat


@pytest.mark.parametrize("brightness", [1.0, 0.037])
@pytest.mark.parametrize("make", [counts, read_out])
def test_thinning_keeps_the_mean_and_parts_the_noise(make, brightness):
    images, expected = make(brightness)
    kept = thinned(images, seed=3)
    ours, theirs = kept - expected, held_out(images, kept) - expected
    variance = float((images - expected).square().mean())
    assert float(ours.mean()) == pytest.approx(0, abs=0.03 * brightness)
    assert float(theirs.mean()) == pytest.approx(0, abs=0.1 * brightness)
    assert float((ours * theirs).mean()) == pytest.approx(0, abs=0.1 * variance)
    assert float(ours.square().mean()) == pytest.approx(variance / 0.9, rel=0.05)
    assert float(theirs.square().mean()) == pytest.approx(variance / 0.1, rel=0.1)


def test_counts_are_dealt_out_whole():
    images, _ = counts(0.25)
    kept, others = (t / 0.25 for t in (thinned(images, 0), held_out(images, thinned(images, 0))))
    for part, whole in ((0.9, kept), (0.1, others)):
        dealt = whole * part
        assert float((dealt - dealt.round()).abs().max()) < 1e-3 and float(dealt.min()) > -1e-3
    assert not torch.equal(thinned(images, 0), thinned(images, 1))


def test_an_empty_channel_stays_empty():
    kept = thinned(torch.zeros(SHAPE), 0)
    assert float(kept.abs().max()) < 1e-9


def small(dose):
    """The small problem with so many counts in the brightest pixel; none: no noise."""
    problem = small_problem()
    if dose is None:
        return problem
    rate = problem.series.images.clamp(min=0) * (dose / problem.series.images.max())
    counts = torch.poisson(rate, generator=torch.Generator().manual_seed(1))
    images = counts * (problem.series.images.max() / dose)
    return replace(problem, series=replace(problem.series, images=images))


def run(problem, steps=120, **options):
    """To where it stops: how many steps, and how far predictions are from noiseless images."""
    solver = Joint(Joint.Options(steps=steps, half_ramp=0, blur_until=0, rate=3.0, **options))
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), steps)
    return state.step, error(problem.predict().detach(), small_problem().series.images)


def test_it_stops_before_noise_is_learned():
    (stopped, near), (whole, far) = run(small(3), patience=0.2), run(small(3))
    assert stopped < 0.8 * whole and near < 0.9 * far


def test_it_does_not_stop_while_it_learns():
    assert run(small(None), patience=0.2)[0] == 120


def test_the_best_moment_is_kept():
    """With endless patience the noise is learned too, but it is not what comes out."""
    (patient, near), (_, far) = run(small(3), patience=1.0), run(small(3))
    assert patient == 120 and near < 0.9 * far
