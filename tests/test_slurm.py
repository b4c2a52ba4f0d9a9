"""The job scripts of examples/slurm, on a real SLURM of two nodes on this machine."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from tomoinr.builtin.simulate import Acquisition, simulate

HERE = Path(__file__)
SCRIPTS = HERE.parents[1] / "examples" / "slurm"
spec = importlib.util.spec_from_file_location("slurm", HERE.with_name("slurm.py"))
slurm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slurm)

pytest.importorskip("mpi4py", reason="ranks talk by MPI")
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(slurm.lacking()), reason=f"no SLURM can be started: {slurm.lacking()}"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Runs commands on it."""
    at = tmp_path_factory.mktemp("slurm")
    with slurm.slurm(at) as environment:
        path = f"{Path(sys.executable).parent}:{environment['PATH']}"
        environment |= {"PATH": path, "OMP_NUM_THREADS": "1"}

        def run(*command, cwd="."):
            words = [str(word) for word in command]
            done = subprocess.run(
                words, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout.strip()

        yield run


@pytest.fixture
def stack(tmp_path):
    acquisition = Acquisition(tuple(range(-60, 61, 6)), dose=50)
    series = simulate("nanoparticles", (16, 16, 16), acquisition, seed=0).series()
    return series.save(tmp_path / "stack.mrc")


def state(cluster, job):
    """As SLURM has it."""
    fields = dict(
        word.partition("=")[::2] for word in cluster("scontrol", "show", "job", "-o", job).split()
    )
    return fields["JobState"]


def wait(condition, seconds=120):
    """Until it holds."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "SLURM takes too long"
        time.sleep(0.3)


def ended(cluster, job):
    return state(cluster, job) not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")


def submitted(cluster, script, *arguments, cwd, options=()):
    return cluster("sbatch", "--parsable", *options, SCRIPTS / script, *arguments, cwd=cwd)


@pytest.mark.parametrize("script", ["one_node.sh", "many_nodes.sh"])
def test_ranks_share_a_series(script, cluster, stack, tmp_path):
    job = submitted(cluster, script, stack, "result", cwd=tmp_path)
    wait(lambda: ended(cluster, job))
    log = (tmp_path / f"tomoinr-{job}.log").read_text()
    assert state(cluster, job) == "COMPLETED", log
    assert log.count("wrote volume.mrc") == 1 and (tmp_path / "result" / "trust.json").exists()
    if script == "many_nodes.sh":
        assert "processes  2 by mpiexec or srun" in log


def test_a_series_for_each_line_of_a_list(cluster, stack, tmp_path):
    (tmp_path / "stacks.txt").write_text(f"{stack}\n" * 1)
    options = ("--array=1-1",)
    job = submitted(cluster, "array.sh", "stacks.txt", "results", cwd=tmp_path, options=options)
    wait(lambda: (tmp_path / "results" / "stack" / "trust.json").exists())
    wait(lambda: ended(cluster, job))


def test_a_run_that_is_stopped_goes_on_by_itself(cluster, stack, tmp_path):
    options = ("--job-name=whole",)
    whole = submitted(cluster, "preemptible.sh", stack, "whole", cwd=tmp_path, options=options)
    wait(lambda: ended(cluster, whole))
    job = submitted(cluster, "preemptible.sh", stack, "result", cwd=tmp_path)
    log = tmp_path / f"tomoinr-{job}.log"
    wait(lambda: log.exists() and "volume 16 × 16 × 16" in log.read_text())
    cluster("scancel", "--signal=USR1", job)
    wait(lambda: "stopped by SIGUSR1" in log.read_text())
    wait(lambda: state(cluster, job) == "PENDING")
    time.sleep(3)  # started again within a second, it would be refused: its credential is revoked
    cluster("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait(lambda: ended(cluster, job))
    assert state(cluster, job) == "COMPLETED", log.read_text()
    assert "going on from step" in log.read_text()
    undisturbed, found = (
        mrcfile.read(tmp_path / name / "volume.mrc") for name in ("whole", "result")
    )
    assert np.array_equal(found, undisturbed)
