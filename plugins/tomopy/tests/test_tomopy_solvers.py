"""TomoPy's algorithms find the specimen in its place, to scale, and are TomoPy's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tomoinr_tomopy
from tomoinr import builtin
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.plugins import Plugins
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.specimens import blobs
from tomoinr_tomopy.library import load
from tomoinr_tomopy.solvers import SOLVERS

try:
    tomopy = load()
except TomoinrError as missing:
    pytest.skip(str(missing), allow_module_level=True)
BY_NAME = {cls.name: cls for cls in SOLVERS}
MLEM, SIRT = BY_NAME["tomopy-mlem"], BY_NAME["tomopy-sirt"]

every_solver = pytest.mark.parametrize("cls", SOLVERS, ids=list(BY_NAME))


class TestTomopy(SolverContract):
    @pytest.fixture(params=SOLVERS, ids=list(BY_NAME))
    def part(self, request):
        return request.param, {"every": 1}


def likeness(found, wanted):
    return float(torch.corrcoef(torch.stack((found.flatten(), wanted.flatten())))[0, 1])


@every_solver
@pytest.mark.parametrize("shape", [(13, 18, 26), (14, 25, 20), (15, 21, 21)])
def test_everything_is_in_its_place_and_no_mirror_image_is(problem, solve, cls, shape):
    grid = Grid(shape, 2.5)
    found, wanted = solve(cls, problem(grid), steps=50), blobs(grid, 1.5).voxels(grid)
    assert likeness(found, wanted) > 0.93
    for axes in ([1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]):
        assert likeness(found.flip(axes), wanted) < 0.8


@every_solver
def test_density_is_per_angstrom(problem, solve, cls):
    given = problem()
    found, wanted = solve(cls, given, steps=50), blobs(given.grid, 1.5).voxels(given.grid)
    assert found.mean((1, 2, 3)) == pytest.approx(wanted.mean((1, 2, 3)), rel=0.02)


@every_solver
def test_is_what_tomopy_computes_when_called_directly(problem, solve, cls):
    given = problem(Grid((13, 18, 26), 1.0))
    wanted = tomopy.recon(
        given.series.images[1].numpy(),
        np.deg2rad(given.series.angles.numpy()),
        algorithm=cls.name.removeprefix("tomopy-"),
        num_gridx=18,
        num_gridy=26,
        num_iter=20,
        ncore=1,
    )
    assert error(solve(cls, given, steps=20, every=7)[1], torch.from_numpy(wanted)) < 1e-5


@every_solver
def test_reporting_more_often_changes_nothing(problem, solve, cls):
    once, often = (solve(cls, problem(), steps=20, every=every) for every in (20, 10))
    assert error(often, once) < 1e-6


def test_a_shift_that_all_views_share_is_followed(problem, solve):
    shifted = problem(shift=torch.tensor([[3.2, 0.0]]).expand(31, 2))
    found, still = solve(SIRT, shifted, steps=50), solve(SIRT, problem(), steps=50)
    assert error(found, still) < 0.1


def test_the_users_images_are_left_alone(problem, solve):
    given = problem()
    before = given.series.images.clone()
    solve(SIRT, given, steps=2)
    assert torch.equal(given.series.images, before)


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ({"rotation": 2.0}, "off by 2°"),
        ({"out_of_plane": -3.0}, "off by 3°"),
        ({"shift": torch.tensor([[0.0, 1.25]]).expand(31, 2)}, "by 0.5 pixels"),
        (
            {"shift": torch.linspace(-5, 5, 62).reshape(31, 2) * torch.tensor([1.0, 0])},
            "one centre",
        ),
    ],
)
def test_what_tomopy_cannot_do_is_refused(problem, pose, message):
    with pytest.raises(TomoinrError, match=message):
        SIRT(SIRT.Options()).init(problem(**pose), Solo())


def test_images_below_zero_are_refused_where_they_mean_nothing(problem):
    given = problem()
    below = replace(given, series=replace(given.series, images=given.series.images - 0.1))
    SIRT(SIRT.Options()).init(below, Solo())
    with pytest.raises(TomoinrError, match="below zero"):
        MLEM(MLEM.Options()).init(below, Solo())


def test_the_host_finds_every_solver():
    plugins = Plugins(builtin, tomoinr_tomopy, installed=False)
    assert not plugins.broken
    assert all(plugins.has("solver", name) for name in BY_NAME)
