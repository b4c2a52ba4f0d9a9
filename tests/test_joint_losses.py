"""Losses: their gradients, and what each is there for."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tomoinr.builtin.joint import Joint
from tomoinr.builtin.losses import PixelNoise, residuals
from tomoinr.team import Solo
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import GRID, go_on, small_problem, truth

SHAPE = (2, 5, 8, 9)
UNIT = 0.5


def noise(gain, floor):
    images = torch.ones(SHAPE)
    even = PixelNoise.even(images, UNIT)
    if not gain:
        return even
    return replace(even, gain=even.gain + gain, floor=even.floor * 0 + floor)


def gradient(cost, prediction):
    prediction = prediction.clone().requires_grad_()
    return torch.autograd.grad(cost(prediction), prediction)[0]


def of(loss, data, known):
    return lambda p: residuals(loss, p, data, known).square().sum() / 2


def negative_log_likelihood(data, gain, floor):
    """Of counts of size `gain`, with a read-out noise that is like so many counts more."""
    more = floor / gain**2
    return lambda p: functional.poisson_nll_loss(
        p / gain + more, data / gain + more, log_input=False, reduction="sum"
    )


@pytest.mark.parametrize("gain", [0.2, 3.0])
@pytest.mark.parametrize("floor", [0.0, 0.7])
def test_poisson_is_the_likelihood_of_counts(gain, floor):
    prediction = 0.5 + torch.rand(SHAPE)
    data = gain * torch.poisson(prediction / gain)
    known = noise(gain, floor)
    expected = gradient(negative_log_likelihood(data, gain, floor), prediction)
    found = gradient(of("poisson", data, known), prediction)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)  # the mean variance is unit²


def test_smooth_l1_and_huber_are_torchs():
    prediction, data = torch.rand(SHAPE), 4 * torch.randn(SHAPE)

    def smooth(p):
        return functional.smooth_l1_loss(p / UNIT, data / UNIT, reduction="sum")

    assert torch.allclose(
        gradient(of("smooth-l1", data, noise(0, 0)), prediction), gradient(smooth, prediction)
    )

    def huber(p):  # noise that is the same everywhere: one unit is its error
        return functional.huber_loss(p / UNIT, data / UNIT, delta=3.0, reduction="sum")

    assert torch.allclose(
        gradient(of("huber", data, noise(0, 0)), prediction), gradient(huber, prediction)
    )


def test_the_noise_of_counts_is_found():
    level = 1 + 9 * torch.rand(1, 12, 1, 1).expand(1, 12, 60, 60)
    counts = 0.3 * torch.poisson(level, generator=torch.Generator().manual_seed(0))
    for known in (PixelNoise.of(counts, 1.0), PixelNoise.of(counts, 1.0, 0.3 * level)):
        errors = (0.3 * known.error(0.3 * level) / 0.3) / (0.3 * level.sqrt())
        assert float((errors - 1).abs().max()) < 0.15


def with_images(change):
    """The small problem, its images changed by a random generator that is always the same."""
    problem = small_problem()
    images = change(problem.series.images, torch.Generator().manual_seed(2))
    return replace(problem, series=replace(problem.series, images=images))


def distance(loss, change):
    """What a short run finds, from the truth: relative, in the brightness that fits best."""
    problem = with_images(change)
    solver = Joint(Joint.Options(steps=80, loss=loss, half_ramp=0, rate=3.0))
    go_on(solver, problem, solver.init(problem, Solo()), Solo(), 80)
    found, wanted = problem.voxels(), truth().voxels(GRID)
    return error(found * ((found * wanted).sum() / found.square().sum()), wanted)


def few_counts(images, generator):
    """Half a count a pixel, on average."""
    rate = images.clamp(min=0) / images.mean()
    return torch.poisson(rate / 2, generator=generator)


def hot_pixels(images, generator):
    """A little noise everywhere; three pixels in a thousand are far too bright."""
    noise = 0.02 * images.max() * torch.randn(images.shape, generator=generator)
    hot = torch.rand(images.shape, generator=generator) < 0.003
    return torch.where(hot, 5 * images.max(), images + noise)


def test_poisson_sees_more_in_few_counts():
    assert distance("poisson", few_counts) < 0.9 * distance("l2", few_counts)


def test_huber_does_not_mind_hot_pixels():
    assert distance("huber", hot_pixels) < 0.7 * distance("l2", hot_pixels)


def test_outliers_do_not_pass_for_noise():
    """Measured again and again, the noise comes down to what it is without them."""
    images = torch.randn((1, 8, 40, 40), generator=torch.Generator().manual_seed(0))
    images[0, :, ::7, ::5] = 100.0
    known = PixelNoise.of(images, 1.0)
    for _ in range(5):
        known = known.again(images, torch.zeros_like(images))
    assert float(known.error(images * 0).mean()) == pytest.approx(1, abs=0.25)
