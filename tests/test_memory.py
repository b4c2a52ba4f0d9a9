"""How much memory is free, and what the automatic solver makes of it."""

from dataclasses import replace
from math import inf

import pytest
import torch

from tomoinr.builtin.auto import Auto, fineness
from tomoinr.builtin.memory import free_memory
from tomoinr.builtin.relocated import moved_to
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.team import Solo
from tomoinr.testing.solvers import go_on, small_problem

CPU = torch.device("cpu")
# MiB, with 61 images of n × n pixels: voxels along a pixel's edge, and rows of pixels together.
MEASURED = [(128, (2,), 267), (128, (2, 16), 150), (256, (1,), 401), (256, (1, 32), 225)]
NEW, OLD = "sys/fs/cgroup", "sys/fs/cgroup/memory"


@pytest.fixture
def machine(tmp_path):
    """A machine's files: 8000 kB free, and a process in the group /job/step of both kinds."""

    def put(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    put("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    put("proc/self/cgroup", "4:memory:/job/step\n3:cpu,cpuacct:/\n0::/job/step\n")
    return put


def test_a_machine_without_limits(machine):
    assert free_memory(CPU, machine(f"{NEW}/job/step/memory.max", "max\n")) == 8000 * 1024


def test_a_machine_that_says_nothing(tmp_path):
    assert free_memory(CPU, tmp_path) == inf


def test_a_real_machine_has_some():
    assert free_memory(CPU) > 1 << 20


def test_a_jobs_limit_less_what_it_uses_but_for_files(machine):
    machine(f"{NEW}/job/step/memory.max", "5000000\n")
    machine(f"{NEW}/job/step/memory.stat", "anon 7\ninactive_file 1000\n")
    root = machine(f"{NEW}/job/step/memory.current", "2000000\n")
    assert free_memory(CPU, root) == 3_001_000


def test_limits_of_a_group_above_and_of_the_older_kind(machine):
    machine(f"{NEW}/job/memory.max", "4000000")
    root = machine(f"{NEW}/job/memory.current", "1000000")
    assert free_memory(CPU, root) == 3_000_000
    machine(f"{OLD}/memory.limit_in_bytes", "2500000")
    machine(f"{OLD}/memory.stat", "inactive_file 5\ntotal_inactive_file 10\n")
    machine(f"{OLD}/memory.usage_in_bytes", "500000")
    assert free_memory(CPU, root) == 2_000_010


@pytest.fixture
def free(monkeypatch):
    """As if so many bytes were free."""
    return lambda size: monkeypatch.setattr(fineness, "free_memory", lambda device: size)


def finest(problem, **options):
    solver = Auto(Auto.Options(preview=2, rounds=1, round_steps=1, **options))
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), 100)
    return state.lattice, state.notes


def tall_problem():
    """With slices enough for two pieces."""
    problem = small_problem()
    grid = Grid((20, 14, 16), problem.grid.spacing)
    images = torch.cat((problem.series.images, problem.series.images[:, :, 2:10]), dim=2)
    moved = moved_to(problem, grid, CPU)
    return replace(moved, series=replace(problem.series, images=images))


def test_finer_voxels_where_memory_allows_and_a_note_where_not(free, monkeypatch):
    monkeypatch.setattr(fineness, "MARGIN", 1)
    problem = tall_problem()
    whole, half, plain = (fineness.needed(problem, *on) for on in ((2,), (2, 10), (1,)))
    free(whole)
    assert finest(problem)[0] == (2, 0, 0, False)
    for less in (whole - 1, half):
        free(less)
        lattice, notes = finest(problem)
        assert lattice == (2, 10, 0, True)
        assert any("little memory is taken: finer voxels for 10 rows" in note for note in notes)
    free(half - 1)
    lattice, notes = finest(problem)
    assert lattice == (1, 0, 0, True)
    assert any("voxels as large as pixels, where" in note for note in notes)
    free(plain)
    assert finest(problem)[0].finer == 1
    lattice, notes = finest(problem, together=8)
    assert lattice == (2, 8, 0, False) and not any("memory" in note for note in notes)


def short_of_memory(monkeypatch):
    """As on large volumes: pieces matter, and the search for poses on binned images does not."""
    monkeypatch.setattr(fineness, "MARGIN", 1)
    monkeypatch.setattr(fineness, "_searching", lambda problem: 0.0)


def test_pieces_of_plain_voxels_where_memory_is_shorter_still(free, monkeypatch):
    short_of_memory(monkeypatch)
    problem = tall_problem()
    free(fineness.needed(problem, 1) - 1)
    lattice, notes = finest(problem)
    assert lattice == (1, 0, 10, True)
    assert any("as large as pixels, for 10 rows of them at a time" in note for note in notes)


def test_no_more_memory_than_was_asked_for(free, monkeypatch):
    short_of_memory(monkeypatch)
    problem = tall_problem()
    free(inf)
    assert finest(problem, memory=1.0)[0] == (2, 0, 0, False)
    little = fineness.needed(problem, 1, 10) / fineness.GIB
    assert finest(problem, memory=little)[0] == finest(problem, memory=little, finer=1)[0]
    with pytest.raises(TomoinrError, match=r"needs about .* GiB of memory"):
        finest(problem, memory=little / 2)


def test_large_problems_take_little_unless_told(free, monkeypatch):
    """However much is free: as few pieces as three times volume and images allow, or the least."""
    short_of_memory(monkeypatch)
    monkeypatch.setattr(fineness, "SMALL", 0)
    monkeypatch.setattr(fineness, "REST", 0)
    monkeypatch.setattr(fineness, "ENOUGH", 10)
    free(inf)
    problem = tall_problem()
    taken = 4 * (problem.volume.values.numel() + problem.series.images.numel())
    whole, finer = (fineness.needed(problem, on) / taken for on in (1, 2))
    assert finest(problem)[0] == (1, 0, 10, True)
    assert finest(problem, within=whole)[0] == (1, 0, 0, True)
    assert finest(problem, within=finer)[0] == (2, 0, 0, False)
    assert finest(problem, memory=1.0)[0] == (2, 0, 0, False)
    best = Auto.presets["best"]["within"]
    assert finest(problem, within=best)[0] == (2, 0, 0, False)


def test_too_little_memory_is_told_before_anything_is_done(free):
    problem = small_problem()
    free(fineness.needed(problem, 1) / 2)
    with pytest.raises(TomoinrError, match=r"needs about .* GiB of memory.*--prepare bin"):
        finest(problem)
    lattice, notes = finest(problem, finer=1)
    assert lattice == (1, 0, 0, False) and not any("memory" in note for note in notes)


@pytest.mark.parametrize(("n", "on", "measured"), MEASURED)
def test_the_need_grows_as_what_was_measured(n, on, measured):
    problem, images = small_problem(), torch.zeros(()).expand(1, 61, n, n)
    series = TiltSeries(images, torch.linspace(-60, 60, 61))
    problem = replace(problem, series=series, grid=Grid((n,) * 3))
    assert measured <= fineness.needed(problem, *on) / 2**20 <= 1.4 * measured


def test_a_run_goes_on_where_less_is_free(free):
    problem = small_problem()
    solver = Auto(Auto.Options(preview=2, rounds=2, round_steps=2))
    free(inf)
    state = solver.init(problem, Solo())
    go_on(solver, problem, state, Solo(), 3)
    free(fineness.needed(problem, 1))
    resumed = solver.init(problem, Solo())
    resumed.load_state_dict(state.state_dict())
    assert [s.finer for s in resumed.stages] == [s.finer for s in state.stages]
    assert resumed.lattice == state.lattice
