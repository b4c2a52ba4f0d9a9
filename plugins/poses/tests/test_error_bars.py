"""Error bars against the spread of poses found in images that differ by their noise alone."""

from dataclasses import replace

import pytest
import torch

from tomoinr.builtin.fixed import Fixed
from tomoinr.geometry import Poses
from tomoinr.options import NoOptions
from tomoinr.testing.specimens import Gaussians
from tomoinr_poses import Rigid, errors

SEEDS, TILTS = 20, torch.tensor([-50.0, 5.0, 35.0])


def noisy(problem, noise):
    images = problem.series.images
    return replace(
        problem, series=replace(problem.series, images=images + noise * torch.randn_like(images))
    )


@pytest.fixture
def series(pose_problem, grid):
    """Three views, each taken twenty times, with shifts that fall between pixels."""
    rotation, shift = torch.tensor([10.0, -5.0, 3.0]), grid.spacing * torch.rand(3, 2)
    truth = Poses.of(TILTS.repeat(SEEDS), rotation.repeat(SEEDS), shift=shift.repeat(SEEDS, 1))
    return pose_problem(truth, Fixed(NoOptions(), truth, grid))


def fitted(problem, steps=60):
    problem = replace(problem, poses=Rigid(Rigid.Options(), problem.poses(), problem.grid))
    adam = torch.optim.Adam(problem.poses.parameters(), 0.05)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        (problem.predict() - problem.series.images).square().sum().backward()
        adam.step()
        fall.step()
    return problem


def test_error_bars_are_the_spread_over_noise_seeds(series, grid):
    """For dx, dy and rotation, within 30 %."""
    problem = fitted(noisy(series, 1.0))
    poses, bars = problem.poses(), errors(problem)
    values = torch.cat((poses.shift / grid.spacing, poses.angles().rotation[:, None]), dim=1)
    spread = values.detach().reshape(SEEDS, 3, 3).std(0)
    told = torch.stack(bars[:3], dim=1).reshape(SEEDS, 3, 3).square().mean(0).sqrt()
    ratio = told.square().mean(0).sqrt() / spread.square().mean(0).sqrt()
    assert ratio.min() > 0.7 and ratio.max() < 1.3


def test_error_bars_follow_the_noise_of_their_own_image(series):
    """Twice the noise, twice the error; the other images' stay."""
    quiet = noisy(series, 0.5)
    excess = quiet.series.images - series.series.images
    images = quiet.series.images.clone()
    images[:, 1] += excess[:, 1]
    loud = replace(quiet, series=replace(quiet.series, images=images))
    before, after = errors(quiet), errors(loud)
    for name in ("dx", "dy", "rotation"):
        ratio = getattr(after, name) / getattr(before, name)
        expected = torch.ones_like(ratio)
        expected[1] = 2
        assert torch.allclose(ratio, expected, rtol=1e-4)


def test_error_bars_of_a_gaussian_by_formula(pose_problem, grid):
    """For a round blob of height a in noise σ: √(2/π) σ/a pixels, whatever its width."""
    poses, noise = Poses.of(torch.tensor([0.0, 1e-3])), 0.05
    blob = Gaussians(grid, torch.zeros(1, 3), 3 * grid.spacing, torch.tensor([[1.0, 0.0]]))
    problem = pose_problem(poses, Fixed(NoOptions(), poses, grid), blob)
    problem = replace(problem, series=replace(problem.series, images=problem.predict()))
    height = float(problem.series.images.max())
    bars = errors(noisy(problem, noise * height))
    expected = torch.full((2,), noise * (2 / torch.pi) ** 0.5)
    assert torch.allclose(bars.dx.float(), expected, rtol=0.1)
    assert torch.allclose(bars.dy.float(), expected, rtol=0.1)


def test_what_an_image_does_not_tell_has_no_error_bar(pose_problem, grid):
    """A round blob has no orientation; an empty image tells nothing."""
    poses = Poses.of(torch.tensor([0.0, 1e-3]))
    round_ = Gaussians(grid, torch.zeros(1, 3), 2 * grid.spacing, torch.ones(1, 2))
    problem = pose_problem(poses, Fixed(NoOptions(), poses, grid), round_)
    bars = errors(noisy(problem, 1.0))
    assert (bars.rotation > 30).all() and (bars.dx < 1).all()
    nothing = replace(problem, volume=Gaussians(grid, torch.zeros(0, 3), 1.0, torch.zeros(0, 2)))
    assert errors(noisy(nothing, 1.0)).dx.isinf().all()


def test_an_exact_fit_has_no_error(series):
    assert errors(series).rotation.max() < 1e-3
