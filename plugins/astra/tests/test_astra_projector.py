"""ASTRA's projector keeps to the contract, for the views that it can follow."""

from itertools import product

import pytest
import torch

from tomoinr import builtin
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses
from tomoinr.plugins import Plugins
from tomoinr.testing import Gaussians, ProjectorContract
from tomoinr.testing.parts import error
from tomoinr.testing.projectors import GRID, seen_by
from tomoinr.testing.specimens import blobs
from tomoinr_astra.projector import AstraProjector


def single_axis(count=6):
    """Random tilts, and shifts of up to two pixels across the axis."""
    shift = (2 * torch.rand(count, 2) - 1) * torch.tensor([5.0, 0.0])
    return Poses.of((2 * torch.rand(count) - 1) * 65, shift=shift)


class TestAstraProjector(ProjectorContract):
    @pytest.fixture(params=["linear", "strip"])
    def part(self, request):
        return AstraProjector, {"kernel": request.param}

    @pytest.fixture
    def views(self):
        return seen_by(GRID, single_axis())

    @pytest.mark.parametrize("shape", [(18, 18, 18), (17, 22, 20), (22, 14, 25), (17, 25, 18)])
    def test_line_integrals_of_blobs(self, build, shape):
        grid = Grid(shape, 2.5, (2.0, 0.0, -3.0))
        specimen, views = blobs(grid), seen_by(grid, single_axis())
        exact = specimen.integral(views.rays(Pixels.rows(views.shape)))
        assert error(build(grid).project(specimen, views), exact) <= self.tolerance

    def test_a_particle_lands_where_the_formula_says(self, projector):
        tilt, dx = torch.tensor(list(product((38.0, -38.0), (3.3, -3.3)))).T
        views = seen_by(GRID, Poses.of(tilt, shift=torch.stack((dx, 0 * dx), 1)))
        columns = (torch.arange(26) - 12.5) * 2.5
        for x, z in product((9.2, -9.2), (7.1, -7.1)):
            particle = Gaussians(GRID, torch.tensor([[x, 3.0, z]]), 4.0, torch.ones(1, 1))
            image = projector.project(particle, views)[0].sum(1)
            landed = (image * columns).sum(1) / image.sum(1)
            theta = torch.deg2rad(tilt)
            assert (landed - (x * theta.cos() - z * theta.sin() + dx)).abs().max() < 0.05 * 2.5


def test_the_gradient_has_a_gradient(problem):
    given = problem()
    values = given.volume.values
    (gradient,) = torch.autograd.grad(given.predict().square().sum(), values, create_graph=True)
    gradient.sum().backward()
    ones = torch.ones_like(values)
    given.volume.values.data = ones
    (wanted,) = torch.autograd.grad(given.predict().square().sum(), values)
    assert error(values.grad, wanted) < 1e-5  # 2 AᵀA 1, as A is linear


def test_turned_images_are_refused(problem):
    with pytest.raises(TomoinrError, match="tilt axis must run along"):
        problem(rotation=1.0).predict()


def test_the_host_finds_both_parts():
    import tomoinr_astra

    plugins = Plugins(builtin, tomoinr_astra, installed=False)
    assert not plugins.broken
    assert plugins.has("projector", "astra") and plugins.has("solver", "astra-sirt")
