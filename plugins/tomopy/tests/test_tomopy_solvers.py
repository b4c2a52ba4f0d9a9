"""TomoPy's algorithms find the specimen in its place, to scale, and are TomoPy's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tomoinr_tomopy
from tomoinr import builtin, reconstruct
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.plugins import Plugins
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.specimens import blobs
from tomoinr_tomopy.library import load
from tomoinr_tomopy.methods import METHODS
from tomoinr_tomopy.solvers import SOLVERS

try:
    tomopy = load()
except TomoinrError as missing:
    pytest.skip(str(missing), allow_module_level=True)
BY_NAME = {cls.name: cls for cls in SOLVERS}
GRIDREC, MLEM, SIRT, TV = (BY_NAME[f"tomopy-{n}"] for n in ("gridrec", "mlem", "sirt", "tv"))

every_solver = pytest.mark.parametrize("cls", SOLVERS, ids=list(BY_NAME))
iterative = pytest.mark.parametrize(
    "cls", [c for n, c in BY_NAME.items() if n != "tomopy-gridrec"], ids=lambda cls: cls.name
)


WHOLE = ["tomopy-gridrec", "tomopy-tv"]  # these run to their end, slab after slab
STEPPED = [cls for cls in SOLVERS if cls.name not in WHOLE]
ARGUMENTS = {method.algorithm: method.arguments for method in METHODS}


class TestTomopy(SolverContract):
    @pytest.fixture(params=STEPPED, ids=lambda cls: cls.name)
    def part(self, request):
        return request.param, {"every": 1}


class TestTomopyWhole(SolverContract):
    correlation = 0.85
    fall = 0.35

    @pytest.fixture(params=WHOLE)
    def part(self, request):
        return BY_NAME[request.param]


def likeness(found, wanted):
    return float(torch.corrcoef(torch.stack((found.flatten(), wanted.flatten())))[0, 1])


def settled(solve, cls, problem):
    """What a solver makes of a problem in as many steps as it needs."""
    few = {} if cls is GRIDREC else {"steps": 100 if cls is TV else 50}
    return solve(cls, problem, **few)


@every_solver
@pytest.mark.parametrize("shape", [(13, 18, 26), (14, 25, 20), (15, 21, 21)])
def test_everything_is_in_its_place_and_no_mirror_image_is(problem, solve, cls, shape):
    rows, depth, width = shape
    grid = Grid((rows, depth + (depth - width) % 2 if cls is TV else depth, width), 2.5)
    highest = 88.0 if cls is GRIDREC else 75.0  # it knows nothing of what is missing
    found, wanted = settled(solve, cls, problem(grid, highest=highest)), blobs(grid, 1.5)
    wanted = wanted.voxels(grid)
    assert likeness(found, wanted) > 0.93
    for axes in ([1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]):
        assert likeness(found.flip(axes), wanted) < 0.8


@iterative
def test_density_is_per_angstrom(problem, solve, cls):
    given = problem()
    found, wanted = settled(solve, cls, given), blobs(given.grid, 1.5).voxels(given.grid)
    assert found.mean((1, 2, 3)) == pytest.approx(wanted.mean((1, 2, 3)), rel=0.02)


@pytest.mark.parametrize("shape", [(13, 26, 26), (13, 27, 27), (13, 17, 26), (13, 18, 27)])
def test_gridrec_is_in_place_and_to_scale_where_no_view_is_missing(problem, solve, shape):
    grid = Grid(shape, 2.5)
    found = solve(GRIDREC, problem(grid, highest=88.0))
    wanted = blobs(grid, 1.5).voxels(grid)
    assert likeness(found, wanted) > 0.995  # half a voxel off would be 0.96
    assert float((found * wanted).sum() / wanted.square().sum()) == pytest.approx(1, abs=0.02)


def test_gridrec_of_half_the_tilts_is_not_twice_as_dense(problem, solve):
    wide, narrow = (solve(GRIDREC, problem(highest=highest)) for highest in (88.0, 44.0))
    assert float(narrow.amax() / wide.amax()) == pytest.approx(0.5, abs=0.15)


@iterative
def test_is_what_tomopy_computes_when_called_directly(problem, solve, cls):
    depth = 26 if cls is TV else 18
    given = problem(Grid((13, depth, 26), 1.0))
    algorithm = cls.name.removeprefix("tomopy-")
    options = replace(cls.Options(), steps=20)
    arguments = {"num_iter": 20, **ARGUMENTS[algorithm](options, given.series)}
    wanted = tomopy.recon(
        given.series.images[1].numpy(),
        np.deg2rad(given.series.angles.numpy()),
        algorithm=algorithm,
        num_gridx=depth,
        num_gridy=26,
        ncore=1,
        **arguments,
    )
    portions = {} if cls is TV else {"every": 7}
    found = solve(cls, given, steps=20, **portions)[1]
    assert error(found, torch.from_numpy(wanted)) < 1e-5


@pytest.mark.parametrize("cls", STEPPED, ids=lambda cls: cls.name)
def test_reporting_more_often_changes_nothing(problem, solve, cls):
    once, often = (solve(cls, problem(), steps=20, every=every) for every in (20, 10))
    assert error(often, once) < 1e-6


def test_the_weight_of_edges_means_what_it_means_in_our_own_tv(problem, solve):
    series = problem(Grid((2, 16, 16), 2.5)).series
    weighed = {"weight": 0.3}
    ours, theirs, plain = (
        torch.from_numpy(reconstruct(series, solver=solver).voxels)
        for solver in (
            {"name": "tv", "steps": 300, **weighed},
            {"name": "tomopy-tv", "steps": 300, **weighed},
            {"name": "tomopy-tv", "steps": 300, "weight": 0.001},
        )
    )
    assert error(theirs, ours) < error(plain, ours) / 2


def test_slices_that_do_not_fit_into_the_middle_of_a_square_are_refused(problem):
    with pytest.raises(TomoinrError, match=r"17 voxels of depth .* a depth of 18"):
        TV(TV.Options()).init(problem(Grid((13, 17, 26), 2.5)), Solo())


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
