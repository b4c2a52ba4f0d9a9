"""Processes under a real mpiexec and torchrun: what they say, what they find, how they end."""

import functools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tomoinr.builtin.simulate import Acquisition, simulate

pytest.importorskip("mpi4py", reason="ranks talk by MPI")
RANKS = Path(__file__).with_name("ranks")
BIN = Path(sys.executable).parent
MPIEXEC = BIN / "mpiexec"
if not MPIEXEC.exists():
    pytest.skip("no mpiexec beside Python", allow_module_level=True)
DEADLINE = 4
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node")


def start(*command, cwd, **variables):
    """A program's exit code and what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300", **variables}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
    )
    return done.returncode, done.stdout + done.stderr


def ranks(count, script, *arguments, cwd, **variables):
    """A script of the folder `ranks`, under mpiexec."""
    command = (MPIEXEC, "-n", count, sys.executable, RANKS / script, *arguments)
    return start(*command, cwd=cwd, **variables)


@pytest.mark.parametrize("way", ["mpiexec", "torchrun"])
def test_what_ranks_say_reaches_all(way, tmp_path):
    launcher = (MPIEXEC, "-n", 3, sys.executable) if way == "mpiexec" else (*TORCHRUN, 3)
    code, told = start(*launcher, RANKS / "talk.py", "found.json", cwd=tmp_path)
    assert code == 0, told
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["size"], found["threads"]) == (3, 1)
    assert found["kind"] == ("MpiTeam" if way == "mpiexec" else "GroupTeam")
    assert found["sums"] == [[6.0] * 6, [3], [1.5, 1.5], [0.0, 9.0, 3.0, 12.0, 6.0, 15.0]]
    assert found["copies"] == [[0.0] * 4, [True], [7]]
    assert found["gathered"] == [[1, 1], [2, 2], [2, 2]] and found["nothing"] == [0, 4]
    assert found["swapped"] == [[0, 1], [0.5, 2], [1.5, 2.5]]
    assert found["first"] == ["rank 0 of 3", True, True]
    missing = "/nowhere/at/all: No such file or directory"
    assert found["told"] == [
        [text, True] for text in ("stack.mrc: no such thing",) * 2 + (missing,) * 2
    ]
    readers, small, sums, corners, source = found["read"]
    assert readers == [1, 0, 0] and small == {"small": 0}  # read once, on one rank
    assert len(set(sums)) == 1 and corners == [5, 6, 7]  # one's own writing stays one's own
    assert source == "a stack" and found["left"] == []


@functools.cache
def solved(folder, count, script="solve.py"):
    """What solvers find on so many ranks."""
    code, told = ranks(count, script, f"{script}-{count}.npz", cwd=folder)
    assert code == 0, told
    return dict(np.load(folder / f"{script}-{count}.npz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


# Relative to the largest value: of losses, and of poses and voxels.
TOLERANCES = {
    "sirt": (1e-6, 1e-5),
    "tv": (1e-6, 1e-5),
    "joint on slices": (1e-5, 1e-3),
    "joint on rays": (1e-5, 1e-4),
}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_any_number_of_ranks_finds_the_same(count, folder):
    alone, together = solved(folder, 1), solved(folder, count)
    for name, (of_losses, of_results) in TOLERANCES.items():
        for what, tolerance in (("loss", of_losses), ("shift", of_results), ("voxels", of_results)):
            wanted, found = (results[f"{name}: {what}"] for results in (alone, together))
            off = np.abs(found - wanted).max()
            assert off <= tolerance * max(np.abs(wanted).max(), 1e-6), f"{name}: {what}"
        assert alone[f"{name}: voxels"].max() > 0 and len(alone[f"{name}: loss"]) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_exact_runs_agree_to_the_last_bit(count, folder):
    alone, together = (solved(folder, n, "exact.py") for n in (1, count))
    for name, wanted in alone.items():
        assert np.array_equal(together[name], wanted), name


@pytest.mark.slow
def test_exact_runs_differ_from_others_by_rounding_only(folder):
    exact, usual = solved(folder, 1, "exact.py"), solved(folder, 1)
    for name, (of_losses, _) in TOLERANCES.items():
        wanted = usual[f"{name}: loss"]
        assert np.abs(exact[f"{name}: loss"] - wanted).max() <= of_losses * wanted.max()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    acquisition = Acquisition(tuple(range(-60, 61, 6)), dose=50)
    series = simulate("nanoparticles", (16, 16, 16), acquisition, seed=0).series()
    return series.save(tmp_path_factory.mktemp("data") / "stack.mrc")


def processes(folder):
    """Those that were started with a path in it."""
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True).stdout


def reconstruct(stack, kind, tmp_path, count=2):
    """`tomoinr reconstruct` on ranks of which the second goes wrong: code and text."""
    arguments = (kind, 1, "reconstruct", stack, "--solver", "sirt", "--steps", 8)
    options = ("--out", tmp_path / "out", "--trust", "none")
    deadline = {"TOMOINR_DEADLINE": str(DEADLINE)}
    return ranks(count, "fail.py", *arguments, *options, cwd=tmp_path, **deadline)


def test_the_program_shares_the_work_and_speaks_once(stack, tmp_path):
    code, told = reconstruct(stack, "nothing wrong", tmp_path)
    assert code == 0 and told.count("wrote volume.mrc") == told.count("21 images") == 1
    assert (tmp_path / "out" / "volume.mrc").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("stopped", r"rank 1 on \S+: no answer for 4 s"),
        ("leaving", r"rank 1 on \S+: no answer for 4 s"),
        ("mistaken", r"rank 1 on \S+: the data is bad here"),
        ("broken", r"rank 1 on \S+: Traceback"),
        ("all mistaken", "tomoinr: the data is bad everywhere"),
        ("killed", "Killed"),
        ("gone", ""),
    ],
)
def test_all_end_when_one_does(kind, message, stack, tmp_path):
    code, told = reconstruct(stack, kind, tmp_path, 3 if kind == "stopped" else 2)
    assert code != 0 or kind == "gone"  # then the launcher itself takes exit code 0 for success
    assert not list((tmp_path / "out").glob("*.mrc"))  # and so it does not look done
    assert told.count("tomoinr: ") == (kind not in ("killed", "gone")), told
    assert re.search(message, told)
    assert "wrote" not in told and "c10d" not in told
    ended = time.monotonic()
    while processes(tmp_path):
        assert time.monotonic() - ended < 5, "processes are left over"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_rank_that_works_for_long_is_waited_for(stack, tmp_path):
    code, told = reconstruct(stack, "slow", tmp_path)
    assert code == 0, told


def test_a_launcher_of_another_mpi_is_refused(stack, tmp_path):
    command = (BIN / "tomoinr", "reconstruct", stack, "--out", "out")
    code, told = start(*command, cwd=tmp_path, PMI_RANK="0", PMI_SIZE="3")
    assert (
        code == 2
        and "started as 3 ranks by mpiexec or srun, but MPI" in told
        and "counts 1" in told
    )
    code, told = start(*command, cwd=tmp_path, SLURM_PROCID="1", SLURM_STEP_NUM_TASKS="2")
    assert (code, told) == (2, "")  # rank 0 says it


def test_the_doctor_sees_all_ranks(tmp_path):
    code, told = start(MPIEXEC, "-n", 2, BIN / "tomoinr", "doctor", "--json", cwd=tmp_path)
    found = json.loads(told)
    assert code == 0 and found["wrong"] == []
    assert found["launch"]["team"] == "MpiTeam" and "mpi4py" in found["launch"]["MPI"]
    assert list(found["ranks"]) == ["0", "1"] and "1 threads on" in found["ranks"]["1"]
    code, told = start(BIN / "tomoinr", "doctor", cwd=tmp_path, PMI_RANK="0", PMI_SIZE="3")
    assert code == 1 and "wrong: started as 3 ranks" in told and "memory" in told


def test_commands_for_one_process_are_refused_on_many(tmp_path):
    code, told = start(MPIEXEC, "-n", 2, BIN / "tomoinr", "plugins", cwd=tmp_path)
    assert code == 2 and told.count("tomoinr plugins runs in one process") == 1
