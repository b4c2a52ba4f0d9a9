"""What a run tells of itself: what it does, how far it is, how much poses moved."""

import csv
import io
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tomoinr_poses
from tomoinr import Record, builtin, reconstruct
from tomoinr.builtin.auto.course import part
from tomoinr.builtin.fbp import Fbp
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.builtin.sirt import Sirt
from tomoinr.checkpoint.history import packed, unpacked
from tomoinr.geometry import Poses
from tomoinr.io.history import history_text
from tomoinr.loop import run
from tomoinr.plugins import Plugins
from tomoinr.testing.solvers import small_problem

PLUGINS = Plugins(builtin, tomoinr_poses, installed=False)
ANGLES = tuple(range(-60, 61, 8))


@pytest.fixture(scope="module")
def series():
    """Images that are two pixels off."""
    acquisition = Acquisition(ANGLES, dose=200, shift=2.0)
    return simulate("nanoparticles", (6, 10, 10), acquisition, seed=0).series()


@pytest.fixture
def few_iterations(monkeypatch):
    monkeypatch.setattr("tomoinr.builtin.auto.hold_out.FIRST", 6)
    monkeypatch.setattr("tomoinr.builtin.auto.hold_out.NEXT", 3)


def history(series, **chosen):
    return reconstruct(series, plugins=PLUGINS, **chosen).history


def stages(records):
    """Each stage and its steps, in their order."""
    return {name: len(list(some)) for name, some in groupby(records, lambda r: r.stage)}


def test_auto_tells_its_stages_and_how_far_it_is(series, few_iterations):
    solver = {"name": "auto", "rounds": 3, "pose_steps": 8, "preview": 8, "round_steps": 2}
    told = history(series, solver=solver, poses="rigid", start=Poses.of(series.angles.float()))
    rounds = {f"round {i} of 3": 2 for i in (1, 2, 3)}
    expected = {"preview 1 of 2": 4, "search for poses": 8, "preview 2 of 2": 4, **rounds}
    assert stages(told) == expected
    assert {r.of for r in told} == {22}
    shares = [r.part for r in told]
    assert shares[0] > 0 and shares[-1] == 1 and all(np.diff(shares) > 0)
    assert [r.moved is None for r in told] == [r.stage.startswith("preview") for r in told]
    assert all(r.moved > 0 for r in told if r.moved is not None and r.step > 5)


def test_auto_that_needs_no_search_says_so_at_once(series, few_iterations):
    solver = {"name": "auto", "rounds": 1, "pose_steps": 8, "preview": 8, "round_steps": 2}
    told = history(series, solver=solver, poses="fixed")
    assert stages(told) == {"preview 1 of 2": 4, "preview 2 of 2": 4, "round 1 of 1": 2}
    assert {(r.of, r.moved) for r in told} == {(10, None)}


class Piece:
    """A stage, as far as its work is concerned."""

    def __init__(self, steps, finer=1, share=1.0):
        self.steps, self.finer, self.share = steps, finer, share


def test_work_grows_with_fineness_and_ends_with_the_last_step():
    plan = [Piece(50), Piece(0), Piece(50), Piece(45, 2), Piece(45, 2)]
    course = np.array([part(plan, step) for step in range(191)])
    steps = np.diff(course)
    assert course[0] == 0 and course[-1] == 1
    assert steps[101] == pytest.approx(4 * steps[1])  # a step on voxels half as large
    assert steps[100] > 50 * steps[1]  # held-out images are asked first
    assert part([Piece(0)], 0) == 1
    halves = [*plan[:3], Piece(90, 2, 0.5), Piece(90, 2, 0.5)]
    assert part(halves, 150) == pytest.approx(part(plan, 125))


def test_joint_tells_when_poses_move_and_when_it_is_coarse(series):
    solver = {"name": "joint", "pose_start": 0.25, "half_size": 0.5, "patience": 1.0}
    told = history(series, solver=solver, poses="rigid", volume="voxels", steps=16)
    assert stages(told) == {
        "volume, at half the size": 4,
        "volume and poses, at half the size": 4,
        "volume and poses": 8,
    }
    assert {r.of for r in told} == {16} and {r.part for r in told} == {None}
    assert all(r.moved == 0 for r in told[:4]) and all(r.moved > 0 for r in told[4:])
    assert all(r.moved < 0.06 for r in told)  # Adam's step is the rate, 0.05 px, at most
    assert all(r.validation is not None and r.validation > 0 for r in told)


@pytest.mark.parametrize(("solver", "of"), [("sirt", 5), ("tv", 5), ("fbp", 1)])
def test_plain_solvers_tell_how_many_steps_there_will_be(series, solver, of):
    steps = {} if solver == "fbp" else {"steps": 5}
    told = history(series, solver=solver, **steps)
    assert [r.step for r in told] == list(range(1, of + 1))
    assert {(r.of, r.stage, r.moved, r.validation) for r in told} == {(of, "", None, None)}


def test_a_state_tells_as_much_as_it_likes():
    """Numbers may still be on a device; what observers are shown may be another problem."""
    problem, other, shown = small_problem(), small_problem(), []

    class Teller(Sirt):
        def init(self, problem, team):
            state = super().init(problem, team)
            state.stage, state.moved, state.current = "counting", torch.tensor(0.5), other
            return state

    result = run(
        problem,
        Teller(Teller.Options(steps=2)),
        observers=[lambda record, problem: shown.append((record, problem))],
    )
    assert [record for record, _ in shown] == list(result.history)
    assert all(problem is other for _, problem in shown)
    first = result.history[0]
    assert (first.stage, first.moved, first.of, first.validation) == ("counting", 0.5, 2, None)
    assert type(first.moved) is float
    assert run(problem, Fbp(Fbp.Options())).history[0].stage == ""


numbers = st.floats(allow_nan=False)
known = st.none() | numbers
records = st.builds(
    Record,
    step=st.integers(0, 2**40),
    loss=numbers,
    seconds=numbers,
    stage=st.text(max_size=4),
    of=st.integers(0, 2**40),
    validation=known,
    moved=known,
    part=known,
)


@given(st.lists(records, max_size=4))
def test_a_checkpoint_keeps_every_record(history):
    assert list(unpacked(packed(history))) == history


def test_a_history_is_a_table_whatever_its_stages_are_called():
    told = [Record(1, 0.1, 2.5), Record(2, 1e-20, 3, 'a, "b"', 9, 0.25, 0.125, 0.5)]
    rows = list(csv.DictReader(io.StringIO(history_text(told))))
    assert list(rows[0]) == ["step", "loss", "seconds", "stage", "validation", "moved"]
    assert list(rows[0].values()) == ["1", "0.1", "2.500000", "", "", ""]
    assert list(rows[1].values()) == ["2", "1e-20", "3.000000", 'a, "b"', "0.25", "0.125"]
