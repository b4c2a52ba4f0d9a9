"""ASTRA's SIRT finds the specimen in its place, to scale, and is ASTRA's own to the last digit."""

from dataclasses import replace

import astra
import numpy as np
import pytest
import torch

from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.voxels import Voxels
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.options import parse
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.specimens import blobs
from tomoinr_astra.sirt import AstraSirt


class TestAstraSirt(SolverContract):
    @pytest.fixture
    def part(self):
        return AstraSirt, {"every": 1}


def likeness(found, wanted):
    return float(torch.corrcoef(torch.stack((found.flatten(), wanted.flatten())))[0, 1])


@pytest.mark.parametrize("shape", [(15, 22, 30), (14, 31, 24), (17, 25, 25)])
def test_everything_is_in_its_place_and_no_mirror_image_is(problem, solve, shape):
    grid = Grid(shape, 2.5)
    found = solve(AstraSirt, problem(grid, width=1.5), steps=60)
    wanted = blobs(grid, width=1.5).voxels(grid)
    assert likeness(found, wanted) > 0.98
    for axes in ([1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]):
        assert likeness(found.flip(axes), wanted) < 0.8


@pytest.mark.parametrize("spacing", [1.0, 2.5])
@pytest.mark.parametrize("kernel", ["linear", "strip", "line"])
def test_density_is_per_angstrom(problem, solve, spacing, kernel):
    grid = Grid((11, 22, 30), spacing)
    found = solve(AstraSirt, problem(grid), steps=60, projector=kernel)
    wanted = blobs(grid).voxels(grid)
    assert found.mean((1, 2, 3)) == pytest.approx(wanted.mean((1, 2, 3)), rel=0.02)


def test_is_what_astra_computes_when_called_directly(problem, solve):
    given = problem(Grid((11, 22, 30), 1.0))
    slices = astra.create_vol_geom(22, 30)
    views = astra.create_proj_geom("parallel", 1.0, 30, np.deg2rad(given.series.angles.numpy()))
    operator = astra.OpTomo(astra.create_projector("linear", views, slices))
    extra = {"MinConstraint": 0.0}
    wanted = operator.reconstruct(
        "SIRT", given.series.images[1, :, 4].numpy(), 20, extraOptions=extra
    )
    found = solve(AstraSirt, given, steps=20, every=7)[1, 4]
    assert error(found, torch.from_numpy(wanted)) < 1e-5


def test_reporting_more_often_changes_nothing(problem, solve):
    once, often = (solve(AstraSirt, problem(), steps=20, every=every) for every in (20, 10))
    assert torch.equal(once, often)


def test_shifts_across_the_axis_are_followed_view_by_view(problem, solve):
    torch.manual_seed(0)
    dx = 10 * (torch.rand(41) - 0.5)  # up to two pixels either way
    shifted = problem(shift=torch.stack((dx, torch.zeros(41)), 1))
    found, still = solve(AstraSirt, shifted, steps=60), solve(AstraSirt, problem(), steps=60)
    assert error(found, still) < 0.02


def test_a_box_off_the_axis_is_found_in_its_place(problem, solve):
    centred, moved = Grid((11, 22, 30), 2.5), Grid((11, 22, 30), 2.5, (5.0, 0.0, -7.5))
    given = replace(problem(), grid=moved, volume=Voxels(Voxels.Options(), moved, 2))
    given = replace(given, projector=type(given.projector)(given.projector.options, moved))
    found, wanted = solve(AstraSirt, given, steps=60), solve(AstraSirt, problem(centred), steps=60)
    assert error(found[:, :, 3:, :-2], wanted[:, :, :-3, 2:]) < 0.1


@pytest.mark.parametrize("positive", [True, False])
def test_positivity_is_a_choice(problem, solve, positive):
    found = solve(AstraSirt, problem(width=0.7), steps=20, positive=positive)
    assert bool((found < -1e-3 * found.max()).any()) is not positive


def test_our_sirt_on_astras_projector_is_astras_sirt(problem, solve):
    theirs, ours = solve(AstraSirt, problem(), steps=50), solve(Sirt, problem(), steps=50)
    assert error(ours, theirs) < 1e-4


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ({"rotation": 2.0}, "off by 2°"),
        ({"out_of_plane": -3.0}, "off by 3°"),
        ({"shift": torch.tensor([[0.0, 1.25]]).expand(41, 2)}, "0.5 pixels"),
    ],
)
def test_what_slices_cannot_do_is_refused(problem, pose, message):
    given, solver = problem(**pose), AstraSirt(AstraSirt.Options())
    with pytest.raises(TomoinrError, match=message):
        solver.init(given, Solo())


def test_volumes_that_are_no_voxels_are_refused(problem):
    given = problem()
    other = Voxels(Voxels.Options(), Grid((11, 22, 30), 1.25), 2)
    for volume in (blobs(given.grid), other):
        with pytest.raises(TomoinrError, match="use the volume 'voxels'"):
            AstraSirt(AstraSirt.Options()).init(replace(given, volume=volume), Solo())


@pytest.mark.parametrize(
    ("grid", "message"),
    [(Grid((12, 22, 30), 2.5), "11 rows"), (Grid((11, 22, 30), 2.0), "as large as pixels")],
)
def test_slices_that_are_no_rows_are_refused(problem, grid, message):
    given = replace(problem(), grid=grid, volume=Voxels(Voxels.Options(), grid, 2))
    with pytest.raises(TomoinrError, match=message):
        AstraSirt(AstraSirt.Options()).init(given, Solo())


def test_an_unknown_kernel_is_refused():
    with pytest.raises(TomoinrError, match=r"'linear' \| 'strip' \| 'line'"):
        parse(AstraSirt.Options, {"projector": "cuda"}, "astra-sirt")
