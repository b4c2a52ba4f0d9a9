"""`--dry-run`: how a forecast follows from what was measured, and what is said of it."""

import json
import shutil

import pytest
import torch

from tomoinr import TiltSeries
from tomoinr.cli import forecast as forecasting
from tomoinr.cli.forecast import Measured, copy, forecast
from tomoinr.cli.plan import spoken
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe


def series(width, rows=None, tilts=5):
    return TiltSeries(torch.rand(tilts, rows or width, width), torch.linspace(-60, 60, tilts), 2.0)


def resolved(**table):
    return Recipe.parse(table).resolve(Plugins())


@pytest.fixture
def machine(monkeypatch):
    """A machine whose time and memory are known: set `seconds` and `memory` of (series, steps)."""

    class Machine:
        runs = []

        def run(self, given, recipe, steps, clock):
            self.runs.append((given.shape, steps))
            return Measured(given, self.seconds(given, steps), self.memory(given), steps or 100)

    machine = Machine()
    machine.runs = []
    machine.memory = lambda given: 10.0 * given.images.numel()
    monkeypatch.setattr(forecasting, "_measured", machine.run)
    return machine


def test_small_data_are_timed_as_they_are(machine):
    machine.seconds = lambda given, steps: 3 + 0.5 * steps
    found = forecast(series(40), resolved(solver={"name": "sirt", "steps": 50}))
    assert found.seconds == pytest.approx(3 + 0.5 * 50) and found.steps == 50
    assert found.copies == (40,)


def test_steps_grow_as_two_copies_say(machine):
    """A time a step that goes with the width's power of 2.5, as some solver's may."""
    machine.seconds = lambda given, steps: 1e-4 * given.shape[2] ** 2.5 * steps
    found = forecast(series(256), resolved(solver={"name": "sirt", "steps": 50}))
    assert found.seconds == pytest.approx(1e-4 * 256**2.5 * 50, rel=1e-3)
    assert found.copies == (32, 64)
    assert max(shape[2] for shape, _ in machine.runs) == 64  # never at full size


def test_whole_runs_grow_with_images_times_voxels(machine):
    machine.seconds = lambda given, steps: 5 + 1e-6 * given.shape[0] * given.shape[2] ** 3
    found = forecast(series(128), resolved(solver="fbp"))
    assert found.seconds == pytest.approx(5 + 1e-6 * 5 * 128**3, rel=1e-3)
    assert found.copies == (12, 28) and found.steps == 100


def test_a_copy_keeps_brightness_proportions_and_field_of_view():
    whole = series(64, rows=48)
    small = copy(whole, 16)
    assert small.shape == (5, 12, 16)
    assert small.pixel_size * 16 == pytest.approx(whole.pixel_size * 64)
    assert float(small.images.mean()) == pytest.approx(float(whole.images.mean()), rel=1e-5)
    assert copy(whole, 64) is whole


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (80, "80 s"), (100, "2 min"), (7200, "2.0 h")]
)
def test_times_as_people_say_them(seconds, words):
    assert spoken(seconds) == words


@pytest.fixture
def stack(simulated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(simulated, ".", dirs_exist_ok=True)
    return "stack.mrc"


def test_a_dry_run_says_what_would_be_and_writes_nothing(program, stack, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    words = ("reconstruct", stack, "--solver", "sirt", "--steps", 20, "--dry-run")
    code, printed, _ = program(*words)
    assert code == 0 and sorted(tmp_path.rglob("*")) == before
    for part in ("solver sirt", "20 steps", "in stack-tomoinr", "would take about", "memory"):
        assert part in printed
    assert printed.endswith("nothing was written\n")
    code, printed, _ = program(*words, "--json")
    told = json.loads(printed)
    assert code == 0 and told["steps"] == 20 and told["recipe"]["solver"]["name"] == "sirt"
    assert told["seconds"] > 0 and (told["memory"] is None or told["memory"] > 1e7)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--angles=-60:60:20",), "13 images but 7 angles"),
        (("--solver", "sirt", "--prior", "tv"), "sirt uses no priors"),
        (("--out", "stack.mrc"), "this is a file"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(program, stack, more, says):
    code, printed, error = program("reconstruct", stack, "--dry-run", *more)
    assert (code, printed) == (2, "") and says in error
