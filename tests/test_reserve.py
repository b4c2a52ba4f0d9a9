"""What a pose model holds in reserve is learned where held-out rows ask for it, and only there."""

import copy
from dataclasses import replace

import pytest
import torch

from tomoinr import reconstruct
from tomoinr.builtin.auto import Auto, band
from tomoinr.builtin.auto.reserve import CLEAR, MOST, Verdict, judged, reserve
from tomoinr.builtin.auto.sharpen import Sharpen
from tomoinr.builtin.noise import weigh
from tomoinr.builtin.pose_steps import Proposal
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem
from tomoinr.team import Solo
from tomoinr.testing.solvers import go_on
from tomoinr.testing.threads import together

Rigid = pytest.importorskip("tomoinr_poses").Rigid
ANGLES = tuple(range(-60, 61, 5))
SIZE = 20


def taken(phantom="dendrite", dose=30.0, **errors):
    return simulate(phantom, (SIZE,) * 3, Acquisition(ANGLES, dose=dose, **errors), seed=0)


def problem(made, tilt=None) -> Problem:
    """Of images in true poses but for their tilts."""
    series = made.series().scaled(1 / float(made.images.mean()))
    grid = series.grid()
    poses = Rigid(Rigid.Options(tilt), Poses.of(series.angles.float()), grid)
    volume = Voxels(Voxels.Options(), grid)
    return Problem(series, grid, volume, poses, Slices(Slices.Options(), grid))


def verdict(asked: Problem, team=None) -> Verdict:
    noise = weigh(asked.series.images)
    found = judged(asked, team or Solo(), noise.weights, noise.error)
    assert found is not None
    return found


def gains(*values: float) -> Verdict:
    return Verdict(torch.tensor(values), Proposal(torch.zeros(1), 0.0, 0.0, torch.zeros(1)))


def test_wrong_tilts_are_told_from_right_ones():
    assert not verdict(problem(taken())).worthwhile
    assert verdict(problem(taken(tilt_error=1.5))).worthwhile


def test_a_band_of_rows_tells_them_as_well(monkeypatch):
    """Which is all that is looked at where images are large."""
    monkeypatch.setattr(band, "ENOUGH", 0)
    monkeypatch.setattr(band, "FEWEST", 12)
    assert not verdict(problem(taken())).worthwhile
    assert verdict(problem(taken(tilt_error=1.5))).worthwhile


def test_the_step_makes_wrong_tilts_better():
    made = taken("nanoparticles", dose=100.0, tilt_error=1.5)
    asked = problem(made)
    found = verdict(asked)
    held = reserve(asked.poses)
    assert len(held) == 1 and not held[0].requires_grad  # it is not for the jury to set it free
    held[0].requires_grad_(True)
    found.step.accept(asked.poses)
    left = asked.poses().angles().tilt.detach() - torch.tensor(made.tilt)
    assert float(left.std()) < 0.85 * float((made.tilt - made.angles).std())


def test_every_team_says_the_same_and_the_volume_is_left_alone():
    asked = problem(taken(tilt_error=1.5))
    before, alone = asked.voxels().clone(), verdict(asked)
    torch.testing.assert_close(asked.voxels(), before)
    for theirs in together(2, lambda team: verdict(problem(taken(tilt_error=1.5)), team)):
        torch.testing.assert_close(theirs.gains, alone.gains, rtol=1e-2, atol=0.5)
        assert theirs.worthwhile


def test_a_strong_pull_on_a_few_images_is_no_reason():
    few, most = [90.0, 80.0, 70.0] + [-1.0] * 9, [3.0] * 9 + [-1.0] * 3
    assert 3 < MOST * 12 < 9
    assert not gains(*few).worthwhile and gains(*most).worthwhile


def test_nor_is_what_may_be_chance():
    assert CLEAR > 1
    assert not gains(*[0.2] * 9, -2.0, 1.4, 1.5).worthwhile


def test_few_images_say_nothing():
    some = problem(taken()).series.select(list(range(0, 25, 3)))
    grid = some.grid()
    poses = Rigid(Rigid.Options(), Poses.of(some.angles.float()), grid)
    small = replace(problem(taken()), series=some, poses=poses)
    noise = weigh(some.images)
    assert judged(small, Solo(), noise.weights, noise.error) is None


SHORT = Auto.Options(preview=40, rounds=2, round_steps=5, finer=1)


def test_auto_sets_tilts_free_and_a_stopped_run_goes_on_with_them():
    made = taken(tilt_error=1.5)

    def finished(stop: int):
        solver, here = Auto(SHORT), problem(made)
        state = solver.init(here, Solo())
        go_on(solver, here, state, Solo(), stop)
        saved = copy.deepcopy((here.modules().state_dict(), state.state_dict()))
        again = problem(made)
        resumed = solver.init(again, Solo())
        again.modules().load_state_dict(saved[0])
        resumed.load_state_dict(saved[1])
        go_on(solver, again, resumed, Solo(), 1000)
        return again, resumed

    (whole, state), (parted, resumed) = finished(0), finished(state_in_round_one())
    assert isinstance(state.entered, Sharpen) and state.entered.freed
    assert state.notes == resumed.notes
    assert any(note.startswith("tilt angles corrected, by") for note in state.notes)
    torch.testing.assert_close(parted.poses().rotation, whole.poses().rotation)
    torch.testing.assert_close(parted.voxels(), whole.voxels(), rtol=1e-4, atol=1e-5)


def state_in_round_one() -> int:
    """Steps after which tilts have been set free, and the last round is still to come."""
    return SHORT.preview + 2


@pytest.mark.parametrize(("tilt", "said"), [(None, 1), (False, 0), (True, 0)])
def test_only_what_is_left_open_is_asked(tilt, said):
    found = reconstruct(
        taken().series(),
        poses={"name": "rigid"} | ({} if tilt is None else {"tilt": tilt}),
        solver={"name": "auto", "preview": 20, "rounds": 1, "round_steps": 2, "finer": 1},
        start=Poses.of(torch.tensor(ANGLES).float()),
    )
    notes = [note for note in found.notes if "tilt angles" in note]
    assert len(notes) == said
    assert all(note.startswith("tilt angles left as they are") for note in notes)
