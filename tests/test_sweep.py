"""Large voxels in a sweep: the same step as at once, without a gradient as large as they are."""

from dataclasses import replace

import pytest
import torch

from tomoinr.api import reconstruct
from tomoinr.builtin import joint_state, optimisers, sweep
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.priors import TotalVariation
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.sweep import Sweep
from tomoinr.builtin.voxels import Voxels
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import go_on, resumed, saved, small_problem

PRIORS = (TotalVariation(TotalVariation.Options(weight=1e-3)),)


@pytest.fixture(autouse=True)
def all_is_large(monkeypatch):
    """So that these few voxels are swept, a row or two at a time."""
    monkeypatch.setattr(optimisers, "LARGE", 1)
    monkeypatch.setattr(joint_state, "AT_ONCE", 4 * 14 * 16)


def at_once(patch):
    patch.setattr(Sweep, "where_it_pays", lambda *_: None)


def two_channels():
    problem = small_problem(PRIORS)
    images = torch.cat((problem.series.images, 0.3 * problem.series.images.flip(2)))
    series = replace(problem.series, images=images, channels=("a", "b"))
    return replace(problem, series=series, volume=Voxels(Voxels.Options(), problem.grid, 2))


class TestSwept(SolverContract):
    @pytest.fixture
    def part(self):
        return Joint, {"steps": 60, "rate": 3.0, "half_ramp": 0.0}


@pytest.mark.parametrize("options", [{}, {"half_size": 0.5}, {"patience": 0.5}])
@pytest.mark.parametrize("make", [lambda: small_problem(PRIORS), two_channels])
def test_the_path_is_the_same(make, options, monkeypatch):
    def walk():
        problem, solver = make(), Joint(Joint.Options(steps=10, **options))
        losses = go_on(solver, problem, solver.init(problem, Solo()), Solo(), 10)
        return losses, problem.voxels()

    losses, voxels = walk()
    at_once(monkeypatch)
    theirs, expected = walk()
    assert losses == pytest.approx(theirs, rel=1e-4)
    assert error(voxels, expected) < 1e-3


def test_poses_are_learned_as_well(monkeypatch):
    acquisition = Acquisition(tuple(range(-60, 61, 10)), dose=1000, shift=1, rotation=1)
    taken = simulate("nanoparticles", (16,) * 3, acquisition, seed=1)

    def found():
        solver = {"name": "joint", "steps": 12, "pose_rounds": 1}
        return reconstruct(taken.series(), solver=solver, volume="voxels", poses="rigid", seed=0)

    swept = found()
    at_once(monkeypatch)
    whole = found()
    moves = (swept.poses.shift - whole.poses.shift).abs().max()
    assert float(moves) < 0.01 * float(whole.poses.shift.abs().max())
    assert abs(swept.voxels - whole.voxels).max() < 0.01 * whole.voxels.max()


def test_slices_move_on_the_way_and_no_gradient_is_as_large_as_they_are(monkeypatch):
    problem, solver = small_problem(), Joint(Joint.Options(steps=4))
    monkeypatch.setattr(sweep, "TOGETHER", 2)
    state = solver.init(problem, Solo())
    moved, values = [], problem.volume.values
    leave = Sweep.leave

    def watched(self, stop):
        leave(self, stop)
        moved.append(int((values[0] > 0).any(2).any(1).sum()))
        assert values.grad is None

    monkeypatch.setattr(Sweep, "leave", watched)
    solver.step(problem, state, Solo())
    assert len(moved) > 3 and 0 < moved[len(moved) // 2] < moved[-1]


@pytest.mark.parametrize("stop", [3, 9])
def test_goes_on_exactly_before_and_amid_the_average(stop):
    problem, solver = small_problem(PRIORS), Joint(Joint.Options(steps=12, average=0.5))
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), stop)
    kept = saved(problem, state)
    losses = go_on(solver, problem, state, Solo(), 12)
    again = small_problem(PRIORS)
    assert go_on(solver, again, resumed(solver, again, Solo(), kept), Solo(), 12) == losses
    assert torch.equal(again.voxels(), problem.voxels())
