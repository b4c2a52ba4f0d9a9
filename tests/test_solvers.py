"""Solvers and projectors against what they must agree with."""

import pytest
import torch

from tomoinr import TiltSeries
from tomoinr.builtin.edges import divergence, gradient
from tomoinr.builtin.fbp import Fbp, angular_weights
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.ramp import filter_rows, ramp
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Poses, place
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo
from tomoinr.testing.specimens import Ball, blobs


def problem(specimen, angles, noise=0.0):
    """Images of a specimen as `slices` sees it, and the plainest parts."""
    grid, angles = specimen.grid, torch.as_tensor(angles, dtype=torch.float32)
    nominal, projector = Poses.of(angles), Slices(Slices.Options(), grid)
    shape = (len(angles), grid.shape[0], grid.shape[2])
    with torch.no_grad():
        images = projector.project(specimen, place(nominal, shape, grid.spacing))[:1]
    images = images + noise * images.max() * torch.randn(images.shape)
    series = TiltSeries(images, angles, grid.spacing)
    parts = Voxels(Voxels.Options(), grid), Fixed(NoOptions(), nominal, grid), projector
    return Problem(series, grid, *parts)


def objective(posed, weight):
    """½‖Ax - b‖² + λ‖∇x‖ as the docstring has it."""
    x = posed.volume.values.detach()
    residual = (posed.predict() - posed.series.images).detach()
    strength = weight * posed.series.shape[0] * posed.grid.spacing**2
    return float(residual.square().sum() / 2 + strength * gradient(x).norm(dim=0).sum())


def solved(solver, posed, steps):
    state = solver.init(posed, Solo())
    for _ in range(steps):
        solver.step(posed, state, Solo())
    return posed


@pytest.mark.parametrize("weight", [0.01, 0.1])
@pytest.mark.parametrize("spacing", [1.0, 3.0])
def test_tv_reaches_the_minimum(weight, spacing):
    """120 iterations and 1500 agree, and no small move lowers what was reached."""
    angles = torch.linspace(-60, 60, 11)
    posed = problem(blobs(Grid((4, 12, 14), spacing)), angles, noise=0.02)
    tv = Tv(Tv.Options(weight=weight))
    reached = objective(solved(tv, posed, 120), weight)
    lowest = objective(solved(tv, problem_again(posed), 1500), weight)
    assert lowest <= reached * 1.001 and reached <= lowest * 1.02
    best = posed.volume.values.data.clone()
    for step in (0.01, 0.1):
        for _ in range(5):
            posed.volume.values.data = (best + step * best.max() * torch.randn_like(best)).clamp(0)
            assert objective(posed, weight) > lowest


def problem_again(posed):
    """The same data, and voxels that start anew."""
    return Problem(
        posed.series, posed.grid, Voxels(Voxels.Options(), posed.grid), posed.poses, posed.projector
    )


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 4, 5), (1, 3, 1, 1)])
def test_divergence_is_minus_the_transpose_of_gradient(shape):
    x, y = torch.randn(shape).double(), torch.randn(3, *shape).double()
    assert float((gradient(x) * y).sum()) == pytest.approx(-float((x * divergence(y)).sum()))


@pytest.mark.parametrize("width", [1, 2, 15, 64])
def test_the_ramp_is_the_frequency_and_keeps_the_mean(width):
    response = ramp(width)
    assert response.shape == (width + 1,) and (response > 0).all()
    frequency = torch.linspace(0, 0.5, width + 1)
    assert torch.allclose(response, frequency, atol=1 / width)
    rows = torch.randn(3, width)
    assert torch.allclose(filter_rows(rows, torch.ones(width + 1)), rows, atol=1e-5)


@pytest.mark.parametrize(
    ("degrees", "weights"),
    [
        ([0, 45, 90, 135], [45, 45, 45, 45]),
        ([135, 0, 90, 45], [45, 45, 45, 45]),
        ([-90, -45, 0, 45], [45, 45, 45, 45]),
        ([0, 180, 90], [45, 45, 90]),  # seen from behind is seen again
        ([-60, -30, 0, 30, 60], [45, 30, 30, 30, 45]),
        ([0, 0, 90, 90], [45, 45, 45, 45]),
    ],
)
def test_each_view_stands_for_the_angle_around_it(degrees, weights):
    found = torch.rad2deg(angular_weights(torch.tensor(degrees, dtype=torch.float64)))
    assert found.tolist() == pytest.approx(weights, abs=1e-3)


@pytest.mark.parametrize("spacing", [1.0, 2.5])
@pytest.mark.parametrize("window", ["none", "hann", "cosine"])
def test_fbp_finds_the_density_of_a_disc(window, spacing):
    grid = Grid((1, 48, 48), spacing)
    disc = Ball(grid, torch.zeros(3), 15 * spacing)
    posed = problem(disc, torch.arange(0, 180, 2.0))
    solved(Fbp(Fbp.Options(window=window)), posed, 1)
    points = grid.points()[0]
    distance = points[..., ::2].norm(dim=-1) / spacing
    found = posed.volume.values.detach()[0, 0]
    assert float(found[distance < 12].mean()) == pytest.approx(1, abs=0.02)
    assert float(found[distance < 12].std()) < 0.05
    assert abs(float(found[(distance > 18) & (distance < 23)].mean())) < 0.02


@pytest.mark.parametrize("spacing", [1.0, 2.5])
@pytest.mark.parametrize("shape", [(14, 17, 20), (15, 20, 16), (13, 18, 21)])
def test_slices_agree_with_quadrature(shape, spacing):
    grid = Grid(shape, spacing)
    specimen = blobs(grid, width=1.8)
    volume = Voxels(Voxels.Options(), grid, 2)
    volume.values.data = specimen.voxels(grid)
    tilt = torch.tensor([-63.0, -20.0, 0.0, 31.0, 55.0])
    poses = Poses.of(tilt, torch.linspace(-2, 2, 5), shift=spacing * torch.randn(5, 2))
    views = place(poses, (5, shape[0], shape[2]), spacing)
    fine = Quadrature(Quadrature.Options(samples=3.0), grid)
    with torch.no_grad():
        one, other = (
            Slices(Slices.Options(), grid).project(volume, views),
            fine.project(volume, views),
        )
    assert float((one - other).norm() / other.norm()) < 0.02
    assert float(one.sum() / other.sum()) == pytest.approx(1, abs=0.002)
