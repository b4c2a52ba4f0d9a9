"""ASTRA's other solvers find the specimen in its place, to scale, and are ASTRA's own."""

import astra
import numpy as np
import pytest
import torch

import tomoinr
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.specimens import blobs
from tomoinr_astra.cgls import AstraCgls
from tomoinr_astra.fbp import AstraFbp
from tomoinr_astra.sart import AstraSart
from tomoinr_astra.sirt import AstraSirt

LONG = {AstraSirt: 60, AstraSart: 10, AstraCgls: 12}


class TestAstraSart(SolverContract):
    @pytest.fixture
    def part(self):
        return AstraSart, {"steps": 8}


class TestAstraCgls(SolverContract):
    tolerance = 1e-3  # conjugate directions magnify what rounding does

    @pytest.fixture
    def part(self):
        return AstraCgls


class TestAstraFbp(SolverContract):
    correlation = 0.85  # of 15 views over 126°: a direct answer shows every gap

    @pytest.fixture
    def part(self):
        return AstraFbp


def likeness(found, wanted):
    return float(torch.corrcoef(torch.stack((found.flatten(), wanted.flatten())))[0, 1])


@pytest.mark.parametrize("cls", [AstraSart, AstraCgls, AstraFbp])
@pytest.mark.parametrize("spacing", [1.0, 2.5])
def test_everything_is_in_its_place_and_to_scale(problem, solve, cls, spacing):
    grid = Grid((15, 22, 30), spacing)
    option = {"steps": LONG[cls]} if cls in LONG else {}
    found = solve(cls, problem(grid, width=1.5), **option)
    wanted = blobs(grid, width=1.5).voxels(grid)
    assert likeness(found, wanted) > (0.97 if option else 0.85)
    scale = float((found * wanted).sum() / wanted.square().sum())
    assert scale == pytest.approx(1, abs=0.05 if option else 0.3)  # FBP misses the wedge
    for axes in ([1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]):
        assert likeness(found.flip(axes), wanted) < 0.8


@pytest.mark.parametrize(
    ("cls", "algorithm", "steps", "option"),
    [(AstraCgls, "CGLS", 5, {}), (AstraSart, "SART", 3, {"MinConstraint": 0.0, "Relaxation": 0.3})],
)
def test_is_what_astra_computes_when_called_directly(problem, solve, cls, algorithm, steps, option):
    given = problem(Grid((5, 22, 30), 1.0))
    slices = astra.create_vol_geom(22, 30)
    views = astra.create_proj_geom("parallel", 1.0, 30, np.deg2rad(given.series.angles.numpy()))
    operator = astra.OpTomo(astra.create_projector("linear", views, slices))
    count = steps * 41 if algorithm == "SART" else steps
    wanted = operator.reconstruct(
        algorithm, given.series.images[1, :, 4].numpy(), count, extraOptions=option
    )
    order = {"order": "recorded"} if algorithm == "SART" else {}
    found = solve(cls, given, steps=steps, **order)[1, 4]
    assert error(found, torch.from_numpy(wanted)) < (1e-3 if algorithm == "CGLS" else 1e-5)


def test_fbp_is_astras_where_views_cover_half_a_turn(problem, pipeline):
    angles = torch.arange(0, 180, 6.0)
    box = astra.create_vol_geom(24, 24)
    detector = astra.create_proj_geom("parallel", 1.0, 24, np.deg2rad(angles.numpy()))
    given = pipeline(box, detector)
    wanted = given.run("FBP", 1, FilterType="ram-lak")
    series = tomoinr.TiltSeries(torch.from_numpy(given.images().copy())[:, None], angles)
    found = tomoinr.reconstruct(series, solver="astra-fbp").voxels[0]
    assert np.abs(found - wanted).max() < 1e-5 * wanted.max()
    assert found[wanted > 0.6].mean() == pytest.approx(0.7, abs=0.05)


def test_sart_reports_as_often_as_asked_and_changes_nothing(problem, solve):
    once, often = (solve(AstraSart, problem(), steps=4, every=every) for every in (4, 2))
    assert torch.equal(once, often)


def test_sart_takes_views_in_the_order_of_the_seed(problem, solve):
    recorded, drawn, again = (
        solve(AstraSart, problem(), steps=1, order=order)
        for order in ("recorded", "random", "random")
    )
    assert torch.equal(drawn, again)
    assert error(drawn, recorded) > 1e-3


@pytest.mark.parametrize("cls", [AstraSirt, AstraSart, AstraCgls, AstraFbp])
def test_threads_change_nothing(problem, solve, cls):
    one = solve(cls, problem())
    torch.set_num_threads(3)
    try:
        three = solve(cls, problem())
    finally:
        torch.set_num_threads(1)
    assert torch.equal(one, three)


def test_fbp_refuses_what_it_cannot_follow(problem):
    shift = torch.zeros(41, 2)
    shift[7, 0] = 5.0
    with pytest.raises(TomoinrError, match="view 7 is moved by 2 pixels"):
        AstraFbp(AstraFbp.Options()).init(problem(shift=shift), Solo())


def test_every_baseline_is_called_by_name(problem):
    series = problem().series
    for name in ("astra-sirt", "astra-sart", "astra-cgls", "astra-fbp"):
        found = tomoinr.reconstruct(series, solver=name, depth=22)
        assert found.voxels.shape == (2, 11, 22, 30)
        assert found.history


@pytest.mark.parametrize("solver", ["sirt", "tv", "joint", "auto"])
def test_our_solvers_run_on_astras_projector(problem, solver):
    series = problem().series
    options = {"finer": 1} if solver == "auto" else {}
    results = [
        tomoinr.reconstruct(
            series,
            solver={"name": solver, **options},
            projector=projector,
            volume="voxels",
            poses="fixed",
            depth=22,
            steps=30,
        ).voxels
        for projector in ("astra", "slices")
    ]
    assert error(*map(torch.from_numpy, results)) < (0.1 if solver == "joint" else 1e-2)
