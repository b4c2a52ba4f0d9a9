"""The joint solver with everything that it can be asked for."""

import copy
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tomoinr.api import reconstruct
from tomoinr.builtin import joint_state
from tomoinr.builtin.averaging import Average
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.muon import Muon
from tomoinr.builtin.optimisers import Optimisers
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Poses
from tomoinr.metrics import pose_errors
from tomoinr.options import NoOptions
from tomoinr.sampling import Draw
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import go_on, small_problem
from tomoinr.testing.threads import together

EVERYTHING = {
    "optimiser": "adam",
    "loss": "huber",
    "half_size": 0.3,
    "patience": 1.0,
    "rate": 3.0,
    "half_ramp": 0.0,
}


class TestEverything(SolverContract):
    @pytest.fixture
    def part(self):
        return Joint, {"steps": 60, **EVERYTHING}


class Wave(torch.nn.Module):
    """A volume of one matrix, large enough for Muon, and a vector."""

    rate = 1e-2
    abilities = frozenset()

    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.ones(16, 16))
        self.vector = torch.nn.Parameter(torch.ones(16))


@pytest.mark.parametrize(("optimiser", "muons"), [("muon", 1), ("adam", 0)])
def test_matrices_move_by_the_optimiser_asked_for(optimiser, muons):
    problem = replace(small_problem(), volume=Wave())
    made = Optimisers(problem, Joint.Options(optimiser=optimiser), Average((), 0.0, 0))
    assert sum(isinstance(o, Muon) for o in made.members) == muons
    assert sum(len(o.parameters) for o in made.members) == 2


def test_plain_adam_walks_its_own_path():
    """Random rays, cosine to zero, nothing filtered or averaged: step for step torch's Adam."""
    plain = {"warm_up": 0, "last_rate": 0, "half_ramp": 0, "blur": 0, "average": 0}
    options = Joint.Options(steps=12, batch=200, betas=(0.9, 0.999), rate=2.0, **plain)
    posed = by_rays(small_problem())
    losses = go_on(Joint(options), posed, Joint(options).init(posed, Solo()), Solo(), 12)

    again = by_rays(small_problem())
    adam = torch.optim.Adam(again.volume.parameters(), 2.0 * again.volume.rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 12)
    for step in range(12):
        adam.zero_grad()
        half_mean_square(again, step).backward()
        adam.step()
        fall.step()
        again.volume.values.data.clamp_(min=0)
    assert error(posed.voxels(), again.voxels()) < 1e-5
    assert losses[-1] < 0.9 * losses[0]


def by_rays(problem):
    return replace(problem, projector=Quadrature(Quadrature.Options(), problem.grid))


def half_mean_square(problem, step):
    rays = problem.projector.sample(problem.series, 200, Draw(problem.seed, step))
    residual = (problem.predict(rays) - problem.series.at(rays)) / problem.series.images.std()
    return residual.square().mean() / 2


def noisy_problem():
    """Counts, six at most in a pixel or so."""
    problem = small_problem()
    rate = problem.series.images.clamp(min=0) * (6 / problem.series.images.max())
    counts = torch.poisson(rate, generator=torch.Generator().manual_seed(1))
    return replace(problem, series=replace(problem.series, images=counts))


@pytest.mark.parametrize("stop", [5, 13, 17, 22])
def test_goes_on_exactly_at_any_moment(stop):
    """Before and after the change of lattice, of the noise, and of what is best."""
    solver = Joint(Joint.Options(steps=24, **EVERYTHING))
    posed = noisy_problem()
    state = solver.init(posed, Solo())
    go_on(solver, posed, state, Solo(), stop)
    saved = copy.deepcopy((posed.modules().state_dict(), state.state_dict()))
    losses = go_on(solver, posed, state, Solo(), 24)

    again = noisy_problem()
    resumed = solver.init(again, Solo())
    again.modules().load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert go_on(solver, again, resumed, Solo(), 24) == losses and losses
    assert torch.equal(again.voxels(), posed.voxels())


def test_every_team_measures_noise_and_stops_alike():
    """To the end: what is thinned, measured and judged does not depend on the team."""
    solver = Joint(Joint.Options(steps=24, **EVERYTHING | {"patience": 0.2}))

    def walk(team):
        mine = copies[team.rank]
        state = solver.init(mine, team)
        go_on(solver, mine, state, team, 24)
        return state.step, mine.voxels()

    copies = [noisy_problem()]
    steps, voxels = walk(Solo())
    copies = [noisy_problem() for _ in range(3)]
    for theirs, found in together(3, walk):
        assert theirs == steps
        assert error(found, voxels) < 1e-3


class Squared(Voxels):
    """Not linear in its parameters, as networks are not."""

    abilities = frozenset()

    def voxels(self, grid, slices=None):
        return super().voxels(grid, slices).square()


def test_a_batch_in_parts_is_the_same_batch(monkeypatch):
    """Rows that see many slices, since images are turned, come one after the other."""

    def walk(at_once):
        monkeypatch.setattr(joint_state, "AT_ONCE", at_once)
        posed = small_problem()
        turned = Poses.of(posed.series.angles, torch.full((15,), 9.0))
        volume = Squared(Voxels.Options(start=0.5), posed.grid)
        poses = Fixed(NoOptions(), turned, posed.grid)
        posed = replace(posed, volume=volume, poses=poses)
        solver = Joint(Joint.Options(steps=6, half_size=0.0))
        state = solver.init(posed, Solo())
        rows = posed.projector.sample(posed.series, state.budget, Draw(posed.seed, 0))
        parts = [part.row.flatten().tolist() for part in state.portions(rows)]
        assert [row for part in parts for row in part] == rows.row.flatten().tolist()
        losses = go_on(solver, posed, state, Solo(), 6)
        return len(parts), losses, posed.voxels()

    whole, losses, voxels = walk(1 << 22)
    parts, theirs, found = walk(4 * 16 * 16)
    assert whole == 1 and parts > 3
    assert theirs == pytest.approx(losses, rel=1e-5)
    assert error(found, voxels) < 1e-4


@pytest.mark.parametrize("steps", [60, 100])
def test_rounds_of_refinement_bring_shifts_nearer(steps):
    """In a short run, Gauss–Newton steps on whole images find more than Adam alone."""
    acquisition = Acquisition(tuple(range(-60, 61, 6)), dose=1000, shift=1, rotation=1)
    taken = simulate("nanoparticles", (24,) * 3, acquisition, seed=1)

    def off(rounds):
        solver = {"name": "joint", "steps": steps, "pose_rounds": rounds}
        found = reconstruct(taken.series(), solver=solver, volume="voxels", poses="rigid", seed=0)
        return pose_errors(found.poses, taken.dx, taken.dy, taken.phi, taken.tilt)

    with_rounds, without = off(3), off(0)
    assert with_rounds.dx < 0.9 * without.dx and with_rounds.dy < 0.95 * without.dy
    assert with_rounds.rotation < without.rotation


def test_no_compiler_is_loaded():
    """One of torch's own optimisers loads it, and takes a second for that."""
    program = (
        "import sys, numpy as np, tomoinr\n"
        "images = np.random.default_rng(0).random((3, 8, 8))\n"
        "series = tomoinr.TiltSeries(images, [-30.0, 0.0, 30.0])\n"
        "tomoinr.reconstruct(series, solver='joint', steps=1)\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
