"""How much memory is free, and what the automatic solver makes of it."""

from dataclasses import replace
from math import inf

import pytest
import torch

from tomoinr.builtin.auto import Auto, fineness
from tomoinr.builtin.memory import free_memory
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.team import Solo
from tomoinr.testing.solvers import go_on, small_problem

CPU = torch.device("cpu")
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
    return max(stage.finer for stage in state.stages), state.notes


def test_finer_voxels_where_memory_allows_and_a_note_where_not(free):
    problem = small_problem()
    fits_fine, fits = (fineness.needed(problem, s) for s in (2, 1))
    free(fits_fine)
    assert finest(problem)[0] == 2
    free(fits_fine - 1)
    finer, notes = finest(problem)
    assert finer == 1 and any("memory is short" in note for note in notes)
    free(fits)
    assert finest(problem)[0] == 1


def test_too_little_memory_is_told_before_anything_is_done(free):
    problem = small_problem()
    free(fineness.needed(problem, 1) - 1)
    with pytest.raises(TomoinrError, match=r"needs about .* GiB of memory.*--prepare bin"):
        finest(problem)
    finer, notes = finest(problem, finer=1)
    assert finer == 1 and not any("memory" in note for note in notes)


def test_the_need_grows_as_what_was_measured():
    """With 61 images: 482 MiB at 128³, and 831 at 256³ on voxels as large as pixels."""
    problem = small_problem()

    def mib(n, finer):
        images = torch.zeros(()).expand(1, 61, n, n)
        series = TiltSeries(images, torch.linspace(-60, 60, 61))
        return fineness.needed(replace(problem, series=series, grid=Grid((n,) * 3)), finer) / 2**20

    for n, finer, measured in ((128, 2, 482), (256, 1, 831)):
        assert measured <= mib(n, finer) <= 1.3 * measured


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
