"""A run that was stopped goes on to the same end, on any team; and only if nothing has changed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tomoinr_inr
import tomoinr_poses
from tomoinr import TomoinrError, builtin, reconstruct
from tomoinr.api import execute
from tomoinr.builtin.auto.find_poses import FindPoses
from tomoinr.builtin.auto.sharpen import Sharpen
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.checkpoint import Checkpoints, Stopped
from tomoinr.checkpoint.folder import Folder
from tomoinr.geometry import Poses
from tomoinr.io import open_stack
from tomoinr.loop import run
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe
from tomoinr.state import Iterate
from tomoinr.team import Solo
from tomoinr.testing.solvers import small_problem
from tomoinr.testing.threads import together

STEPS = 600  # of the program
ANGLES = tuple(range(-60, 61, 8))
TWO = {"name": "joint", "patience": 0.2, "loss": "poisson"}
RUNS = {
    "sirt": {"solver": "sirt", "poses": "fixed", "steps": 8},
    "tv": {"solver": "tv", "poses": "fixed", "steps": 8},
    "joint": {"solver": "joint", "steps": 12, "poses": "rigid"},
    "joint, held out": {"solver": TWO, "steps": 20, "poses": "fixed"},
    "joint, network": {
        "solver": "joint",
        "volume": {"name": "siren", "width": 16},
        "poses": "shift",
        "steps": 10,
    },
    "auto": {"solver": {"name": "auto", "rounds": 3}, "poses": "rigid", "steps": 40},
}
RUNS["auto, in a larger box"] = RUNS["auto"]
RUNS["auto, in pieces"] = {
    "solver": {"name": "auto", "rounds": 2, "together": 3},
    "poses": "rigid",
    "steps": 40,
}
PLAIN = "auto, in pieces of plain voxels"
RUNS[PLAIN] = {
    "solver": {"name": "auto", "rounds": 4, "finer": 1, "together": 3},
    "poses": "rigid",
    "steps": 40,
}
# Of auto: half a preview, learning poses, the other half, three rounds on finer voxels.
STOPS = dict.fromkeys(("auto", "auto, in a larger box"), (2, 10, 28, 30, 32, 35, 37, 39, 40))
# Between two pieces, in the middle of one, between two passes.
STOPS["auto, in pieces"] = (20, 31, 33, 34, 36, 37, 38, 40)
# In a piece of the first preview, the search, the second preview; between and in pieces of rounds.
STOPS[PLAIN] = (1, 2, 3, 4, 12, 21, 23, 24, 25, 27, 28, 32, 33, 38, 40)


@pytest.fixture(scope="module")
def plugins():
    return Plugins(builtin, tomoinr_poses, tomoinr_inr, installed=False)


@pytest.fixture(scope="module")
def series():
    """Images that are two pixels off, of uneven brightness."""
    acquisition = Acquisition(ANGLES, dose=200, shift=2.0, gain_drift=0.05)
    return simulate("nanoparticles", (6, 10, 10), acquisition, seed=0).series()


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    """Held-out images decide sooner."""
    monkeypatch.setattr("tomoinr.builtin.auto.hold_out.FIRST", 6)
    monkeypatch.setattr("tomoinr.builtin.auto.hold_out.NEXT", 3)


class Stop:
    """Asks to stop when it has been asked so often."""

    def __init__(self, after):
        self.left = after

    def __call__(self):
        self.left -= 1
        return None if self.left else "SIGTERM"


def stopped(work, folder, after, **said):
    """Work that was stopped after so many steps."""
    with pytest.raises(Stopped, match="stopped by SIGTERM at step") as found:
        work(Checkpoints(folder, asked=Stop(after), **said))
    return found.value


def course(result):
    """All that the history tells but how long it took."""
    return [replace(record, seconds=0) for record in result.history]


@pytest.mark.parametrize("name", RUNS)
def test_goes_on_to_the_very_same_end(name, series, plugins, tmp_path):
    def work(checkpoints=None):
        return reconstruct(
            images, plugins=plugins, start=start, checkpoints=checkpoints, **RUNS[name]
        )

    bright = series.images.mean() if "larger" in name else 0  # at the edges, so cut off there
    images = replace(series, images=series.images + bright)
    start = Poses.of(series.angles.float())
    through = work()
    steps = through.history[-1].step
    stops = STOPS.get(name, (1, steps // 2, steps))
    for reached, step in pairwise((0, *stops)):
        assert stopped(work, tmp_path / "kept", step - reached, resume=True).step == step
    result = work(Checkpoints(tmp_path / "kept", resume=True))
    assert result.voxels.tobytes() == through.voxels.tobytes()
    assert course(result) == course(through) and result.notes == through.notes
    assert torch.equal(result.poses.rotation, through.poses.rotation)
    assert torch.equal(result.poses.shift, through.poses.shift)
    assert all(np.diff([record.seconds for record in result.history]) >= 0)
    assert not (tmp_path / "kept").exists()


def test_auto_is_stopped_in_every_stage(series, plugins, monkeypatch):
    """What the test above takes for granted."""
    entered = []
    for stage in (Sharpen, FindPoses):
        monkeypatch.setattr(
            stage,
            "step",
            lambda self, step=stage.step: (
                entered.append((type(self).__name__, id(self))) or step(self)
            ),
        )
    start = Poses.of(series.angles.float())
    reconstruct(series, plugins=plugins, start=start, **RUNS["auto"])
    order = list(dict.fromkeys(entered))
    assert [name for name, _ in order] == ["Sharpen", "FindPoses", *["Sharpen"] * 4]
    at = [entered[step - 1][1] for step in STOPS["auto"]]
    assert set(at) == {number for _, number in order}


def test_what_the_next_stage_asks_of_the_last_is_kept():
    def made():
        return Sharpen(
            small_problem(), Solo(), "", 3, finer=1, caution=0, balance="gain", others=None
        )

    stage, other = made(), made()
    stage.enter(None)
    stage.caution, stage.moved, stage.common, stage.longer, stage.uneven = 0.1, 0.2, -0.3, 4.0, 0.5
    other.load_state_dict(stage.state_dict())
    for name in ("caution", "moved", "common", "longer", "uneven"):
        assert getattr(other, name) == getattr(stage, name)


@pytest.mark.parametrize("name", ["sirt", "tv", "joint", "auto", "auto, in pieces", PLAIN])
@pytest.mark.parametrize(("before", "after"), [(2, 1), (2, 2), (2, 3)])
def test_goes_on_with_another_team(name, before, after, series, plugins, tmp_path):
    chosen = RUNS[name] | ({"steps": 20} if "auto" in name else {})
    start = Poses.of(series.angles.float())

    def work(checkpoints=None, team=None):
        return reconstruct(
            series, plugins=plugins, start=start, team=team, checkpoints=checkpoints, **chosen
        )

    after_steps = 3 * chosen["steps"] // 4
    with pytest.raises(Stopped):
        together(before, lambda team: work(Checkpoints(tmp_path, asked=Stop(after_steps)), team))
    told = []
    found = together(
        after, lambda team: work(Checkpoints(tmp_path, resume=True, tell=told.append), team)
    )
    other = [f"not as it was: {before} processes then, {after} now"] if before != after else []
    assert told[:-1] == other and told[-1].startswith(f"going on from step {after_steps} ")
    through = together(before, lambda team: work(team=team))[0]
    for result in found:
        away = np.linalg.norm(result.voxels - through.voxels) / np.linalg.norm(through.voxels)
        assert away == 0 if before == after else away < 1e-3
        assert [r.step for r in result.history] == [r.step for r in through.history]
        losses = [r.loss for r in through.history]
        assert [r.loss for r in result.history] == pytest.approx(losses, rel=1e-3)


def test_every_so_many_steps(series, plugins, tmp_path):
    def look(record, problem):
        there = sorted(path.name for path in kept.glob("checkpoint-*"))
        seen[record.step] = [int(re.sub(r"\D", "", name)) for name in there]

    def work(checkpoints):
        chosen = RUNS["sirt"] | {"steps": 12}
        reconstruct(series, plugins=plugins, checkpoints=checkpoints, observers=[look], **chosen)

    seen, kept = {}, tmp_path / "kept"
    stopped(work, kept, 8, every=3)
    assert [seen[step] for step in (3, 4, 6, 7, 8)] == [[], [3], [3], [3, 6], [3, 6]]
    work(Checkpoints(kept, every=3, resume=True))
    assert [seen[step] for step in (9, 11, 12)] == [[6, 8], [6, 8], [8, 11]]
    assert not kept.exists()


def test_now_and_then(series, plugins, tmp_path, monkeypatch):
    """By a clock that is a minute later each time that it is looked at: once a step."""

    def look(record, problem):
        seen.append(len(list(tmp_path.glob("kept/*"))))

    def work(every):
        seen.clear()
        checkpoints = Checkpoints(tmp_path / "kept", every=every)
        reconstruct(
            series, plugins=plugins, checkpoints=checkpoints, observers=[look], **RUNS["sirt"]
        )
        return seen

    seen, minutes = [], count()
    clock = SimpleNamespace(monotonic=lambda: 60.0 * next(minutes))
    monkeypatch.setattr("tomoinr.checkpoint.checkpoints.time", clock)
    assert work("1h") == [0] * 8
    assert work("3min") == [0, 0, 0, 1, 1, 1, 2, 2]
    assert work("never") == [0] * 8


def test_a_loop_of_ones_own_can_be_resumed(tmp_path):
    def work(checkpoints=None):
        solver = builtin.sirt.Sirt(builtin.sirt.Sirt.Options(steps=6))
        return run(small_problem(), solver, checkpoints=checkpoints)

    stopped(work, tmp_path, 4)
    assert course(work(Checkpoints(tmp_path, resume=True))) == course(work())


def test_damage_costs_no_more_than_the_steps_since_the_one_before(series, plugins, tmp_path):
    def work(checkpoints=None):
        return reconstruct(series, plugins=plugins, checkpoints=checkpoints, **RUNS["tv"])

    stopped(work, tmp_path, 7, every=3)
    (tmp_path / "checkpoint-00000007.safetensors").write_bytes(b"lost")
    told = []
    result = work(Checkpoints(tmp_path, resume=True, tell=told.append))
    assert "checkpoint-00000007.safetensors: damaged" in told[0]
    assert told[1].startswith("going on from step 6")
    assert result.voxels.tobytes() == work().voxels.tobytes()


@pytest.mark.parametrize("size", [1, 2])
def test_what_cannot_be_written_ends_the_run_and_the_last_stays(
    size, series, plugins, tmp_path, monkeypatch
):
    def add(folder, step, value):
        if step == 6:
            raise TomoinrError("the disk is full")
        usual(folder, step, value)

    def work(checkpoints, team=None):
        return reconstruct(
            series, plugins=plugins, checkpoints=checkpoints, team=team, **RUNS["sirt"]
        )

    usual = Folder.add
    monkeypatch.setattr(Folder, "add", add)

    def error(team):
        with pytest.raises(TomoinrError) as found:
            work(Checkpoints(tmp_path, every=2), team)
        return str(found.value)

    assert together(size, error) == ["the disk is full"] * size
    told = []
    work(Checkpoints(tmp_path, resume=True, tell=told.append))
    assert told[-1] == "going on from step 4 (checkpoint-00000004.safetensors)"


class Odd(Iterate):
    """A state that nobody can keep."""

    def state_dict(self):
        return {"step": self.step, "seen": {1, 2}}


def test_a_state_that_cannot_be_kept_is_refused_before_it_costs_time(tmp_path, monkeypatch):
    solver = builtin.sirt.Sirt(builtin.sirt.Sirt.Options())
    monkeypatch.setattr(solver, "init", lambda problem, team: Odd())
    monkeypatch.setattr(solver, "step", pytest.fail)
    with pytest.raises(TomoinrError, match="cannot hold the set at 'seen'"):
        run(small_problem(), solver, checkpoints=Checkpoints(tmp_path))


def test_other_images_or_settings_are_refused(series, plugins, tmp_path):
    def work(checkpoints, images=series, **more):
        return reconstruct(images, plugins=plugins, checkpoints=checkpoints, **RUNS["tv"] | more)

    stopped(work, tmp_path, 4)
    for more, line in {
        "steps": ({"steps": 9}, "solver.steps: 8 → 9"),
        "seed": ({"seed": 1}, "run.seed: 0 → 1"),
        "solver": ({"solver": "sirt"}, "solver.name: tv → sirt"),
        "images": ({"images": series.scaled(2.0)}, "images: .* has changed"),
        "start": ({"start": Poses.of(series.angles.float())}, "start: none → .*"),
    }.values():
        with pytest.raises(TomoinrError, match=line):
            work(Checkpoints(tmp_path, resume=True), **more)
    assert work(Checkpoints(tmp_path, resume=True)).history[-1].step == 8


def test_earlier_checkpoints_are_not_lost_by_a_slip(series, plugins, tmp_path):
    def work(checkpoints):
        return reconstruct(series, plugins=plugins, checkpoints=checkpoints, **RUNS["sirt"])

    stopped(work, tmp_path, 5)
    with pytest.raises(TomoinrError, match=r"go on from it \(--resume.*or replace it \(--force"):
        work(Checkpoints(tmp_path))
    stopped(work, tmp_path, 2, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000002.safetensors"]


def test_none_to_go_on_from_is_told(series, plugins, tmp_path):
    told = []
    kept = Checkpoints(tmp_path / "none", resume=True, tell=told.append)
    result = reconstruct(series, plugins=plugins, checkpoints=kept, **RUNS["sirt"])
    assert told == [f"{tmp_path / 'none'}: no checkpoint: starting from the beginning"]
    assert result.history[0].step == 1


def test_rough_poses_are_not_sought_again(series, plugins, tmp_path, monkeypatch):
    def work(checkpoints=None):
        return reconstruct(series, plugins=plugins, checkpoints=checkpoints, **RUNS["joint"])

    through = work()
    stopped(work, tmp_path, 5)
    monkeypatch.setattr(Plugins, "align", pytest.fail)
    result = work(Checkpoints(tmp_path, resume=True))
    assert result.voxels.tobytes() == through.voxels.tobytes()
    assert result.notes == through.notes and any("shifts of up to" in n for n in result.notes)


@pytest.fixture(scope="module")
def stack(series, tmp_path_factory):
    """The images as a file; the recipe that the program is given, and what it makes undisturbed."""
    folder = tmp_path_factory.mktemp("stack")
    series.save(folder / "stack.mrc")
    execute(recipe(folder, "through"))
    return folder


def recipe(folder, out, **solver):
    solver = {"name": "sirt", "steps": STEPS} | solver
    data = {"stack": str(folder / "stack.mrc")}
    table = {"data": data, "solver": solver, "output": {"folder": str(folder / out)}}
    return Recipe.parse(table)


def test_another_version_is_told_and_no_hindrance(series, plugins, tmp_path, monkeypatch):
    def work(checkpoints):
        return reconstruct(series, plugins=plugins, checkpoints=checkpoints, **RUNS["sirt"])

    stopped(work, tmp_path, 5)
    monkeypatch.setattr("tomoinr.io.provenance.__version__", "99.0")
    told = []
    work(Checkpoints(tmp_path, resume=True, tell=told.append))
    assert told[0].startswith("not as it was: tomoinr: ") and told[0].endswith(" then, 99.0 now")


def test_what_another_version_kept_is_refused(series, plugins, tmp_path, monkeypatch):
    def work(checkpoints):
        return reconstruct(series, plugins=plugins, checkpoints=checkpoints, **RUNS["sirt"])

    with monkeypatch.context() as earlier:
        earlier.setattr("tomoinr.checkpoint.checkpoints.LAYOUT", 1)
        stopped(work, tmp_path, 5)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TomoinrError, match=r"checkpoint-\d+.*kept other things.*--force"):
        work(Checkpoints(tmp_path, resume=True))
    assert sorted(tmp_path.iterdir()) == before
    work(Checkpoints(tmp_path, force=True))
    assert not list(tmp_path.glob("checkpoint-*"))


def test_files_that_have_changed_are_refused(stack, tmp_path, plugins):
    def work(checkpoints=None):
        return execute(recipe(tmp_path, "out", steps=6), plugins=plugins, checkpoints=checkpoints)

    for file in stack.glob("stack.*"):
        shutil.copy(file, tmp_path)
    stopped(work, tmp_path / "kept", 3)
    content = (tmp_path / "stack.mrc").read_bytes()
    (tmp_path / "stack.mrc").write_bytes(content[:-1] + b"?")
    with pytest.raises(TomoinrError, match=r"stack: .*stack.mrc has changed"):
        work(Checkpoints(tmp_path / "kept", resume=True))
    (tmp_path / "stack.mrc").write_bytes(content)
    angles = (tmp_path / "stack.rawtlt").read_text()
    (tmp_path / "stack.rawtlt").write_text(angles.replace("-60.0", "-61.0"))
    with pytest.raises(TomoinrError, match=r":\nangles: .*rawtlt has changed"):
        work(Checkpoints(tmp_path / "kept", resume=True))
    (tmp_path / "stack.rawtlt").write_text(angles)
    work(Checkpoints(tmp_path / "kept", resume=True))
    lines = (tmp_path / "out" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == list("123456")


# A program that has loaded everything, and becomes `tomoinr` again and again: so a test of five
# runs takes seconds.
READY = """
import json, os, sys
from tomoinr.cli import main
from tomoinr.plugins import Plugins
import torch.fx.experimental.symbolic_shapes  # torch does, as soon as there is a gradient
Plugins()
for line in sys.stdin:
    sys.argv[1:], log = json.loads(line)
    if not (child := os.fork()):
        os.dup2(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 2)
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Program:
    """`tomoinr reconstruct`, in a process of its own."""

    def __init__(self, folder):
        self.folder, self.kept = folder, folder / "out" / "checkpoints"
        self._ready = subprocess.Popen(
            [sys.executable, "-c", READY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ready.communicate(timeout=60)

    def start(self, *more):
        words = ["reconstruct", str(self.folder / "stack.mrc"), "--out", str(self.folder / "out")]
        words += ["--solver", "sirt", "--steps", str(STEPS), "--trust", "none", *more]
        print(json.dumps([words, str(self.folder / "log")]), file=self._ready.stdin, flush=True)
        self._process = int(self._ready.stdout.readline())

    def newest(self):
        names = [path.name for path in self.kept.glob("checkpoint-*")]
        return max((int(re.sub(r"\D", "", name)) for name in names), default=0)

    def wait_for(self, step):
        begun = time.monotonic()
        while self.newest() < step:
            assert time.monotonic() - begun < 60, (self.folder / "log").read_text()
            time.sleep(0.002)

    def end(self, name=None):
        """The exit code, and all that was told."""
        if name:
            os.kill(self._process, getattr(signal, name))
        return int(self._ready.stdout.readline()), (self.folder / "log").read_text()


STOPPED = {"SIGTERM": 75, "SIGUSR1": 75, "SIGINT": 130}  # and the exit code


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are not the same there")
def test_the_program_can_be_stopped_in_any_way_and_goes_on(stack):
    with Program(stack) as program:
        resume: tuple[str, ...] = ()
        for name in (*STOPPED, "SIGKILL"):
            before = program.newest()
            program.start("--checkpoint-every", "10", *resume)
            program.wait_for(before + 20)
            code, told = program.end(name)
            if resume:
                assert f"going on from step {before} " in told
            if name in STOPPED:
                assert code == STOPPED[name]
                last = told.splitlines()[-1]
                step = program.newest()
                assert last.startswith(f"stopped by {name} at step {step}; go on with: tomoinr rec")
                assert last.endswith(" --resume") and last.count("--resume") == 1
            assert before + 20 <= program.newest() < STEPS
            assert not (stack / "out" / "volume.mrc").exists()
            resume = ("--resume",)
        assert code == -signal.SIGKILL
        program.start("--checkpoint-every", "never", "--resume")
        assert program.end()[0] == 0
    check_same(stack / "through", stack / "out")
    assert not program.kept.exists()


def check_same(one, other):
    """The same volume, poses and recipe to the last bit; the same steps and losses."""
    volumes = [open_stack(folder / "volume.mrc") for folder in (one, other)]
    for number in range(volumes[0].shape[0]):
        assert np.array_equal(*(volume.image(number) for volume in volumes))
    for name in ("poses.json", "recipe.toml"):
        assert (one / name).read_text() == (other / name).read_text()
    mine, theirs = (np.genfromtxt(folder / "history.csv", delimiter=",") for folder in (one, other))
    assert np.array_equal(mine[1:, :2], theirs[1:, :2]) and np.all(np.diff(theirs[1:, 2]) > 0)
