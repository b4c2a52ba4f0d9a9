"""The mechanics of benchmarks/memory.py and benchmarks/gpu.py: what they count, and as what."""

import json
import sys
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tomoinr import Plugins, TomoinrError, builtin
from tomoinr.builtin.coarse_shift import centres_of_mass
from tomoinr.metrics import unseen_removed

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # for the processes, too
memory, gpu, model = map(import_module, ("memory", "gpu", "scaling_model"))
CPU = torch.device("cpu")


def test_series_are_as_noisy_and_as_far_off_as_told():
    shifts = torch.randn(41, 2, generator=torch.Generator().manual_seed(0))
    plain, still = (memory.taken(32, 41, shift=s, turn=0, noise=0) for s in (2, 0))
    noisy = memory.taken(32, 41, shift=2, turn=0)
    assert plain.shape == (41, 32, 32) and float(plain.angles.abs().max()) == pytest.approx(60)
    noise = float((noisy.images - plain.images).std() / plain.images.mean())
    assert noise == pytest.approx(0.1, rel=0.03)
    moved = (centres_of_mass(plain.images[0]) - centres_of_mass(still.images[0])).numpy()
    told, tilts = 2 * shifts.numpy(), plain.angles.numpy()
    for seen, wanted in zip(
        unseen_removed(*moved.T, tilts), unseen_removed(*told.T, tilts), strict=True
    ):
        assert seen == pytest.approx(wanted, abs=0.3)


def test_memory_holds_volume_and_data_but_not_the_interpreter(capsys):
    """A process with torch alone takes up 200 MiB and more."""
    memory.main(["--size", "80", "--tilts", "21", "--steps", "2", "--methods", "sirt"])
    head, _, line = capsys.readouterr().out.splitlines()
    name, peak, ratio, *_ = line.split()
    least = (80**3 + 21 * 80**2) * 4 / 2**20
    assert f"volume + data {least:.1f} MiB, aim at most {3 * least:.0f} MiB" in head
    assert name == "sirt" and 2 * least < float(peak) < 100
    assert float(ratio) == pytest.approx(float(peak) / least, abs=0.5 / least + 0.01)
    assert ("above 3" in line) == (float(ratio) > 3)


def test_an_all_reduce_takes_as_long_as_its_bytes_and_hops():
    machine = model.Machine(gpus=8, inside=100.0, between=10.0, latency=1.0)
    assert model.all_reduce(50, 1, machine) == 0
    assert model.all_reduce(50, 8, machine) == pytest.approx(2 * 7 / 8 * 0.5 + 2 * 3)
    both = model.all_reduce(50, 32, machine)
    assert both == pytest.approx(2 * 7 / 8 * 0.5 + 6 + 2 * 3 / 4 * 5 + 4)


def test_larger_volumes_take_longer_and_more_ranks_wait_more():
    told = [line.split() for line in model.predictions()][3:]
    assert len(told) == 24
    joint, tv = told[:12], [row for row in told[12:] if "slices" not in row]
    steps, efficiencies = ([float(row[i]) for row in joint] for i in (3, 5))
    assert steps[0] < steps[3] < steps[6] < steps[9]
    assert efficiencies[0] > efficiencies[1] > efficiencies[2] > 0.5
    assert 0 < len(tv) < 12 and all(float(row[5]) < 1 for row in tv)


def test_the_fit_finds_the_constants_that_made_the_times():
    def measured(name, size, ranks):
        talk = (1e-4 + model.said(name, size, ranks) / 2e9) * (ranks > 1)
        return 3e-3 + 5e-9 * model.units(name, size) / ranks + talk, talk

    *rows, last = model.fitted(["sirt"], measured)
    assert "5 ns" in last and "3 ms" in last and "0.1 ms" in last and "2 GB/s" in last
    for row in rows[1:]:
        numbers = row.split()[3:]
        assert numbers[0] == numbers[1], row


def test_a_method_that_fails_stops_nothing(monkeypatch):
    class Dying:
        def __init__(self, *_): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def submit(self, *_):
            raise self.error

    monkeypatch.setattr(memory, "ProcessPoolExecutor", Dying)
    for Dying.error, words in ((BrokenProcessPool(), "died"), (TomoinrError("no room"), "no room")):
        figures = memory.alone({}, Path(), Path(), 1)
        assert words in figures.failed
        assert memory.told("tv", figures, 1.0) == f"{'tv':16} failed: {figures.failed}"


def test_a_missing_device_is_told_in_a_line():
    for name in ("cuda:99", "gpu"):
        with pytest.raises(TomoinrError, match=f"finds no device '{name}' here; --device cpu"):
            gpu.main(["--device", name])


@pytest.fixture
def ticking(monkeypatch):
    """A clock that goes on by a second at every look."""
    seconds = count()
    monkeypatch.setattr(gpu.Clock, "now", lambda self: next(seconds))
    return gpu.Clock(CPU)


def test_every_stage_is_a_lap(ticking):
    """Two stages of one class, the second on a finer lattice."""

    class TwoWords:
        def __init__(self, steps, side):
            self.steps, grid = steps, SimpleNamespace(shape=(side,) * 3)
            self.problem = SimpleNamespace(grid=grid)

    state = SimpleNamespace(step=0, stages=[TwoWords(2, 8), TwoWords(1, 16)])
    assert laps(ticking, state, 3) == [("two words, 2 × 8³", 1), ("two words, 1 × 16³", 1)]


def test_a_solver_without_stages_is_one_lap(ticking):
    assert laps(ticking, SimpleNamespace(step=0), 3) == [("siren, 3 × 8³", 1)]


def laps(clock, state, steps):
    """Of a watched solver that does nothing."""

    def step(problem, state, team):
        state.step += 1
        return state.step

    solver = SimpleNamespace(step=step, done=lambda problem, state: state.step == steps, name="x")
    volume, grid = SimpleNamespace(name="siren"), SimpleNamespace(shape=(8,) * 3)
    watched = gpu.Watched(solver, clock)
    problem = SimpleNamespace(volume=volume, grid=grid)
    assert watched.name == "x" and watched.step(problem, state, None) == 1
    while not watched.done(problem, state):
        watched.step(problem, state, None)
    return clock.laps


def test_rates_leave_the_first_calls_out(ticking, monkeypatch):
    """Each look at the clock is a second, so the mean of n calls is 1 / n."""
    calls = []
    bench = gpu.Bench(CPU, None, Plugins(builtin, installed=False))
    monkeypatch.setattr(gpu, "LONG", 7.0)
    assert bench.seconds(lambda: calls.append(None)) == pytest.approx(1 / 7)
    assert len(calls) == 2 + 1 + 7


def test_networks_are_held_against_the_product_and_voxels_against_the_copy(monkeypatch, capsys):
    """At a call a second on a device of 1000 FLOP/s and 100 bytes/s."""
    monkeypatch.setattr(gpu.Bench, "seconds", lambda self, work: (work(), 1.0)[1])
    bench = gpu.Bench(CPU, memory.taken(8, 5))
    bench.ceilings = {"torch.float32": 1000.0, "copy": 100.0}
    found = bench.volumes()
    points = 8**3
    siren = 2 * (3 * 64 * 64 + 64)  # three hidden layers and the last
    assert found["siren"]["rates"] == [points, points]
    assert found["siren"]["ceilings"] == pytest.approx(
        [points * siren / 1000, points * 3 * siren / 1000]
    )
    assert found["voxels"]["ceilings"] == pytest.approx([points * 8 / 100, points * 24 / 100])
    assert sorted(found) == [p.name for p in bench.plugins.parts("volume")]
    table = capsys.readouterr().out.split()
    assert table.count("siren") == table.count("voxels") == 1


def test_a_run_on_a_cpu_tells_every_stage(monkeypatch, tmp_path, capsys):
    """From the file to the voxels; all steps are in some stage; every run has the same stages."""
    monkeypatch.setattr(gpu, "LONG", 0.01)
    monkeypatch.setattr(gpu.Bench, "volumes", lambda self: {})
    path = tmp_path / "gpu.json"
    words = "--device cpu --size 16 --tilts 9 --steps 17 --compare 16 --recipes auto voxels"
    gpu.main([*words.split(), "--json", str(path)])
    found, told = json.loads(path.read_text()), capsys.readouterr().out
    assert {*found["ceilings"]} == {"torch.bfloat16", "torch.float32", "copy"}
    assert all(rate > 0 for rate in found["ceilings"].values())
    assert all(found["projector"][way]["ceiling"] > 0 for way in ("forward", "back"))
    for name in ("auto", "voxels"):
        first, last = found["recipes"][name]["stages"]
        stages = [stage for stage, _ in first]
        assert stages == [stage for stage, _ in last]
        assert all(told.count(f"\n{stage} ") >= 2 for stage in stages)
        assert stages[:3] == ["read", "rough alignment", "assembly"] and stages[-1] == "rendering"
        steps = sum(int(stage.split(", ")[1].split()[0]) for stage in stages[3:-1])
        assert 0 < steps <= 17 if name == "auto" else steps == 17  # auto may leave a stage out
        assert f"\n{name}, SSIM" in told and 0 < found["ssim"][name]["cpu"] < 1
