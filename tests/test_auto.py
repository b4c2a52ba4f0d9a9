"""The automatic solver: Gauss–Newton steps of poses, and a plan that follows what they find."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tomoinr import reconstruct
from tomoinr.builtin.auto import Auto, find_poses
from tomoinr.builtin.auto.find_poses import FindPoses
from tomoinr.builtin.auto.solver import AutoState
from tomoinr.builtin.pose_steps import Evidence, propose
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.slices import Slices
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses, place, turn_y, turn_z
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.metrics import pose_errors
from tomoinr.options import NoOptions
from tomoinr.team import Solo
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import GRID, go_on, small_problem, truth
from tomoinr.testing.threads import together

TILTS = 15
TURN = 2.0  # degrees per unit of the parameter


class Free(PoseModel):
    """Shifts (pixels), a turn and, if `tilts`, a tilt for every image: the columns of `free`."""

    name = "free"

    def __init__(self, nominal: Poses, tilts: bool = False) -> None:
        super().__init__()
        self.options, self._nominal, self._tilts = NoOptions(), nominal, tilts
        self.free = nn.Parameter(torch.zeros(len(nominal.shift), 3 + tilts))
        self.unused = nn.Parameter(torch.zeros(2))

    def forward(self) -> Poses:
        turned = turn_z(TURN * self.free[:, 2]) @ self._nominal.rotation
        if self._tilts:
            turned = turned @ turn_y(TURN * self.free[:, 3])
        return Poses(turned, self._nominal.shift + GRID.spacing * self.free[:, :2])


def moved(size: float, seed: int = 1, tilts: bool = False) -> tuple[Problem, Tensor]:
    """Images moved by about `size` pixels and 2 × `size` degrees, and by how much each."""
    problem = small_problem()
    nominal = Poses.of(problem.series.angles.float())
    random = torch.Generator().manual_seed(seed)
    motion = size * torch.randn(TILTS, 3 + tilts, generator=random)
    model = Free(nominal, tilts)
    model.free.data.copy_(motion)
    projector = Slices(Slices.Options(warp="bicubic"), GRID)
    views = place(model().to("cpu"), problem.series.shape, GRID.spacing)
    images = projector.project(truth(), views).detach()
    series = replace(problem.series, images=images)
    return replace(problem, series=series, projector=projector, poses=Free(nominal, tilts)), motion


def flat(problem: Problem) -> Tensor:
    return torch.ones_like(problem.series.images)


def test_steps_find_the_motion_of_every_image() -> None:
    problem, motion = moved(0.3)
    problem = replace(problem, volume=truth())
    model = problem.poses
    assert isinstance(model, Free)
    for _ in range(12):
        propose(problem, Solo(), flat(problem)).accept(model)
    left = (model.free.detach() - motion).abs().amax(0)
    assert float(left[:2].max()) < 0.02  # pixels
    assert TURN * float(left[2]) < 0.3  # degrees
    assert float(model.unused.detach().abs().max()) == 0


def test_steps_find_tilts_where_they_are_learned() -> None:
    problem, motion = moved(0.2, tilts=True)
    problem = replace(problem, volume=truth())
    model = problem.poses
    assert isinstance(model, Free)
    for _ in range(12):
        propose(problem, Solo(), flat(problem)).accept(model)
    left = (model.free.detach() - motion).square().mean(0).sqrt()
    assert TURN * float(left[3]) < 0.3  # degrees; 0.4 before
    assert float(left[:2].max()) < 0.02


def test_the_common_turn_alone_is_made_longer() -> None:
    problem, _ = moved(0.1)
    problem = replace(problem, volume=truth())
    found = propose(problem, Solo(), flat(problem))
    plain, longer = (found.lengthened(times).change[: 3 * TILTS].view(TILTS, 3) for times in (1, 3))
    torch.testing.assert_close(longer[:, 2], plain[:, 2] + 2 * plain[:, 2].mean())
    torch.testing.assert_close(longer[:, :2], plain[:, :2])


def test_a_step_is_as_long_as_the_way_and_no_longer_than_allowed() -> None:
    for size, least, most in ((0.2, 0.1, 0.3), (4.0, 0.2, 1e9)):
        problem, _ = moved(size)
        problem = replace(problem, volume=truth())
        found = propose(problem, Solo(), flat(problem))
        assert least < found.motion < most
        found.accept(problem.poses)
        assert float(problem.poses.free.detach()[:, :2].abs().max()) <= 1.0 + 1e-6


def test_right_poses_stay() -> None:
    problem = replace(moved(0.0)[0], volume=truth())
    assert propose(problem, Solo(), flat(problem)).motion < 1e-4


def test_pixels_without_weight_say_nothing() -> None:
    problem, _ = moved(0.3)
    problem = replace(problem, volume=truth())
    spoilt = problem.series.images.clone()
    spoilt[:, :, :, :4] = 9.0
    weights = flat(problem)
    weights[:, :, :, :4] = 0
    kept = propose(problem, Solo(), weights)
    other = propose(
        replace(problem, series=replace(problem.series, images=spoilt)), Solo(), weights
    )
    torch.testing.assert_close(kept.change, other.change)


def test_all_evidence_counts_as_much_as_it_is_sure() -> None:
    """The same said twice moves nothing further; what is surer prevails."""
    problem, _ = moved(0.3)
    problem = replace(problem, volume=truth())
    alone = propose(problem, Solo(), flat(problem))
    twice = propose(problem, Solo(), flat(problem), [Evidence(problem, flat(problem))])
    torch.testing.assert_close(twice.change, alone.change, rtol=1e-4, atol=1e-6)
    still = replace(problem, series=replace(problem.series, images=problem.predict().detach()))
    for weight, part in ((1.0, 0.5), (9.0, 0.1)):
        other = Evidence(still, weight * flat(problem))
        found = propose(problem, Solo(), flat(problem), [other])
        torch.testing.assert_close(found.change, part * alone.change, rtol=1e-3, atol=1e-5)


def test_every_team_makes_the_same_step() -> None:
    problem, _ = moved(0.3)
    problem = replace(problem, volume=truth())
    alone = propose(problem, Solo(), flat(problem))
    for theirs in together(3, lambda team: propose(problem, team, flat(problem))):
        torch.testing.assert_close(theirs.change, alone.change, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "sought"), [(0.1, False), (1.5, True)])
def test_poses_are_sought_where_they_are_far_off(size: float, sought: bool) -> None:
    problem, _ = moved(size)
    solver = Auto(Auto.Options(pose_steps=20, preview=40, rounds=0))
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), 1000)
    (search,) = (stage for stage in state.stages if isinstance(stage, FindPoses))
    assert bool(search.steps) == sought
    assert state.step == 40 + 20 * sought


def test_wide_images_are_binned_for_the_search(monkeypatch) -> None:
    """Its volume is then handed over on the images' own lattice, and what is kept goes on."""
    monkeypatch.setattr(find_poses, "WIDE", 8)
    solver = Auto(Auto.Options(pose_steps=20, preview=40, rounds=0))

    def walk(stop: int) -> tuple[Problem, AutoState]:
        problem, _ = moved(1.5)
        state = solver.init(problem, Solo())
        go_on(solver, problem, state, Solo(), stop)
        return problem, state

    problem, state = walk(30)
    search = state.entered
    assert isinstance(search, FindPoses) and search.steps == 20
    own, coarse = search.voxels(), search.problem.voxels()
    assert own.shape[1] == problem.grid.shape[0]
    assert coarse.shape[1:] == tuple((n + 1) // 2 for n in own.shape[1:])
    assert error(own.mean(), coarse.mean()) < 0.1

    kept = copy.deepcopy((problem.modules().state_dict(), state.state_dict()))
    again, resumed = walk(0)
    again.modules().load_state_dict(kept[0])
    resumed.load_state_dict(kept[1])
    for one, at in ((problem, state), (again, resumed)):
        go_on(solver, one, at, Solo(), 1000)
    assert torch.equal(again.voxels(), problem.voxels())
    torch.testing.assert_close(again.poses().shift, problem.poses().shift)


def test_binned_images_show_where_they_are_as_well(monkeypatch) -> None:
    pytest.importorskip("tomoinr_poses")
    monkeypatch.setattr(find_poses, "WIDE", 16)
    acquisition = Acquisition(tuple(range(-60, 61, 5)), dose=100, shift=2, rotation=2)
    taken = simulate("nanoparticles", (40,) * 3, acquisition, seed=2)
    solver = {"name": "auto", "finer": 1, "caution": 0.2, "pose_steps": 200}
    series = taken.series()
    found = reconstruct(series, solver=solver, quality="fast", start=Poses.of(series.angles))
    assert any("learned with the volume" in note for note in found.notes)
    left = pose_errors(found.poses, taken.dx, taken.dy, taken.phi, taken.tilt)
    assert max(left.dx, left.dy) < 0.1 and left.rotation < 0.5


def test_images_below_zero_are_refused_with_what_to_do() -> None:
    problem = small_problem()
    dark = replace(problem, series=replace(problem.series, images=-problem.series.images))
    with pytest.raises(TomoinrError, match=r"mean is -.*bright on a dark ground.*positive = false"):
        Auto(Auto.Options()).init(dark, Solo())


def test_a_run_of_few_steps_tells_only_what_it_found() -> None:
    problem, _ = moved(0.1)
    solver = Auto(Auto.Options(steps=3))
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), 3)
    assert not any("memory" in note or "off or more" in note for note in state.notes)


def test_poses_are_found() -> None:
    problem, motion = moved(0.25)
    solver = Auto(Auto.Options(preview=60, rounds=2, round_steps=20))
    go_on(solver, problem, solver.init(problem, Solo()), Solo(), 1000)
    tilts = torch.deg2rad(problem.series.angles.float())
    left = problem.poses.free.detach() - motion  # type: ignore[attr-defined,operator]
    modes = torch.linalg.qr(torch.stack((tilts.cos(), tilts.sin()), dim=1)).Q
    across = left[:, 0] - modes @ (modes.mT @ left[:, 0])
    along = left[:, 1] - left[:, 1].mean()
    assert float(across.square().mean().sqrt()) < 0.05
    assert float(along.square().mean().sqrt()) < 0.05


def test_a_stopped_run_goes_on_through_stages_and_poses() -> None:
    """Stopped in the preview, and on the finer lattice: the end is the same to the last digit."""
    options = Auto.Options(preview=8, rounds=2, round_steps=4)

    def finished(stop: int) -> tuple[Tensor, Tensor]:
        problem, _ = moved(0.1)
        solver = Auto(options)
        state = solver.init(problem, Solo())
        go_on(solver, problem, state, Solo(), stop)
        saved = copy.deepcopy((problem.modules().state_dict(), state.state_dict()))
        again, _ = moved(0.1)
        resumed = solver.init(again, Solo())
        again.modules().load_state_dict(saved[0])
        resumed.load_state_dict(saved[1])
        go_on(solver, again, resumed, Solo(), 1000)
        return again.voxels(), again.poses().shift.detach()

    whole = finished(0)
    for stop in (3, 6, 13):
        torch.testing.assert_close(finished(stop), whole, rtol=1e-5, atol=1e-6)
