"""The contract of solvers."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from tomoinr.api import reconstruct
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.priors import TotalVariation
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.checkpoint.together import shared
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses, place
from tomoinr.interfaces import Ability, Prior, Problem, Solver, State, check_fit
from tomoinr.options import NoOptions
from tomoinr.plugins import Plugins
from tomoinr.team import Solo, Team
from tomoinr.testing.parts import AnyPart, Build, error
from tomoinr.testing.specimens import Gaussians, blobs
from tomoinr.testing.threads import together

GRID = Grid((12, 14, 16), 2.5)


def truth() -> Gaussians:
    """Four blobs, one channel."""
    specimen = blobs(GRID)
    return Gaussians(GRID, specimen.centres, specimen.width, specimen.weights[:, :1])


def small_problem(priors: tuple[Prior, ...] = ()) -> Problem:
    """Noiseless images of the truth, and the plainest parts to find it again."""
    angles = torch.linspace(-63, 63, 15)
    nominal, shape = Poses.of(angles), (15, 12, 16)
    projector = Slices(Slices.Options(), GRID)
    images = projector.project(truth(), place(nominal, shape, GRID.spacing))[0]
    volume = Voxels(Voxels.Options(), GRID)
    series, poses = TiltSeries(images, angles, GRID.spacing), Fixed(NoOptions(), nominal, GRID)
    return Problem(series, GRID, volume, poses, projector, priors, seed=5)


def go_on(solver: Solver, problem: Problem, state: State, team: Team, steps: int) -> list[float]:
    """The losses of up to so many more steps; then the volume is whole on every rank."""
    losses: list[float] = []
    while len(losses) < steps and not solver.done(problem, state):
        losses.append(float(solver.step(problem, state, team)))
    state.state_dict()
    return losses


def saved(problem: Problem, state: State) -> Any:
    """What a checkpoint would hold, as it comes out of one."""
    known = state.state_dict()
    return shared(Solo(), copy.deepcopy((problem.modules().state_dict(), known)))


def resumed(solver: Solver, problem: Problem, team: Team, kept: Any) -> State:
    """A fresh start, put where that was saved."""
    state = solver.init(problem, team)
    modules, inner = copy.deepcopy(kept)
    problem.modules().load_state_dict(modules)
    state.load_state_dict(inner)
    return state


class SolverContract(AnyPart):
    """A solver finds the specimen, on any team, and goes on where it was stopped.

    Fixture `part`: the class, or (class, options); made as `cls(options)`. It is given voxels,
    fixed poses and the projector `slices` on a grid of 12, 14 and 16 voxels, 15 views.
    `steps`: most steps to the result; `correlation`: with the truth that it must reach;
    `fall`: last loss relative to the first; `tolerance`: relative difference between teams;
    `priors`: those it is tried with, if it states the ability PRIORS.
    """

    steps: ClassVar[int] = 60
    correlation: ClassVar[float] = 0.95
    fall: ClassVar[float] = 0.1
    tolerance: ClassVar[float] = 1e-4
    priors: ClassVar[tuple[Prior, ...]] = ()

    @pytest.fixture
    def solver(self, build: Build) -> Solver:
        """The solver."""
        made: Solver = build()
        return made

    @pytest.fixture
    def problem(self) -> Problem:
        """The small problem."""
        return small_problem(self.priors)

    def test_finds_the_specimen(self, solver: Solver, problem: Problem) -> None:
        """The loss falls; the voxels look like the truth and are, to a third, as dense."""
        check_fit(problem, solver)
        state = solver.init(problem, Solo())
        losses = go_on(solver, problem, state, Solo(), self.steps)
        found, wanted = problem.voxels().flatten(), truth().voxels(GRID).flatten()
        assert float(torch.corrcoef(torch.stack((found, wanted)))[0, 1]) >= self.correlation
        assert float(found @ wanted / (wanted @ wanted)) == pytest.approx(1, abs=1 / 3)
        assert len(losses) == 1 or losses[-1] <= self.fall * losses[0]

    @pytest.mark.parametrize("size", [2, 3])
    def test_many_ranks_equal_one(self, solver: Solver, problem: Problem, size: int) -> None:
        """The same losses and voxels on every rank of every team."""

        def walk(team: Team) -> tuple[list[float], Tensor]:
            mine = copies[team.rank]
            losses = go_on(solver, mine, solver.init(mine, team), team, steps=5)
            return losses, mine.voxels()

        copies = [problem]
        losses, voxels = walk(Solo())
        copies = [small_problem(self.priors) for _ in range(size)]
        for theirs, found in together(size, walk):
            assert theirs == pytest.approx(losses, rel=self.tolerance)
            assert error(found, voxels) <= self.tolerance

    def test_goes_on_where_it_stopped(self, solver: Solver, problem: Problem) -> None:
        """Three steps, a fresh start with the saved state, three more: as if never stopped."""
        state = solver.init(problem, Solo())
        go_on(solver, problem, state, Solo(), 3)
        kept = saved(problem, state)
        losses = go_on(solver, problem, state, Solo(), 3)

        again = small_problem(self.priors)
        state = resumed(solver, again, Solo(), kept)
        assert go_on(solver, again, state, Solo(), 3) == pytest.approx(losses, rel=1e-6)
        assert error(again.voxels(), problem.voxels()) <= 1e-6

    def test_goes_on_with_another_team(self, solver: Solver) -> None:
        """What rank 0 of two has saved, one goes on from, and three."""

        def begin(team: Team) -> tuple[Any, list[float], Tensor]:
            mine = copies[team.rank]
            state = solver.init(mine, team)
            go_on(solver, mine, state, team, 3)
            kept = saved(mine, state)
            return kept, go_on(solver, mine, state, team, 3), mine.voxels()

        def go_further(team: Team) -> tuple[list[float], Tensor]:
            mine = copies[team.rank]
            state = resumed(solver, mine, team, kept)
            return go_on(solver, mine, state, team, 3), mine.voxels()

        copies = [small_problem(self.priors) for _ in range(2)]
        kept, losses, voxels = together(2, begin)[0]
        for size in (1, 3):
            copies = [small_problem(self.priors) for _ in range(size)]
            for theirs, found in together(size, go_further):
                assert theirs == pytest.approx(losses, rel=self.tolerance)
                assert error(found, voxels) <= self.tolerance

    def test_priors_count_or_are_refused(self, solver: Solver) -> None:
        """A solver that cannot weigh priors must not be given any; one that can heeds them."""
        flat = TotalVariation(TotalVariation.Options(weight=10.0))
        plain, smoothed = small_problem(), small_problem((flat,))
        if Ability.PRIORS not in solver.abilities:
            with pytest.raises(TomoinrError, match="uses no priors"):
                check_fit(smoothed, solver)
            return
        for problem in (plain, smoothed):
            go_on(solver, problem, solver.init(problem, Solo()), Solo(), self.steps)
        assert error(smoothed.voxels(), plain.voxels()) > 1e-3, "priors change nothing"

    def test_what_comes_in_goes_out(self, solver: Solver) -> None:
        """Images seven times as bright give voxels seven times as dense."""
        plain, bright = (self._reconstruct(solver, brightness) for brightness in (1.0, 7.0))
        assert error(bright, 7 * plain) <= 10 * self.tolerance

    def _reconstruct(self, solver: Solver, brightness: float) -> Tensor:
        """By way of the public function, which takes the units of the file off and puts them on."""
        problem = small_problem()
        result = reconstruct(
            problem.series.scaled(brightness),
            volume=problem.volume,
            poses=problem.poses,
            projector=problem.projector,
            solver=solver,
            priors=self.priors,
            plugins=Plugins(installed=False),
        )
        return torch.from_numpy(result.voxels)
