"""Two "nodes", network namespaces of this machine, and a cable between them that is pulled out."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tomoinr.builtin.simulate import Acquisition, simulate

pytest.importorskip("mpi4py", reason="ranks talk by MPI")
BIN = Path(sys.executable).parent
ADDRESSES = ("10.77.0.1", "10.77.0.2")
DEADLINE = 4
LAUNCHER = """\
#!/bin/bash
while [[ "$1" == -* ]]; do shift; done
[ "$1" = 10.77.0.1 ] && node={0} || node={1}
shift
exec ip netns exec $node bash -c "$*"
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def nodes():
    """The names of two network namespaces, joined by a cable."""
    names = [f"tomoinr{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        cable = ("type", "veth", "peer", "name", "cable", "netns", names[1])
        ip("link", "add", "cable", "netns", names[0], *cable)
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                ip("-n", name, "link", "set", device, "up")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces: {error}")
    else:
        yield names
    finally:
        for name in names:
            if shutil.which("ip"):
                subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.mark.slow
def test_a_node_that_is_cut_off_ends_the_job_and_leaves_a_checkpoint(nodes, tmp_path):
    taken = simulate("nanoparticles", (16,) * 3, Acquisition(tuple(range(-60, 61, 6))), seed=0)
    stack, out = taken.series().save(tmp_path / "stack.mrc"), tmp_path / "out"
    launcher, log = tmp_path / "launcher", tmp_path / "log"
    launcher.write_text(LAUNCHER.format(*nodes))
    launcher.chmod(0o755)
    mpiexec = [BIN / "mpiexec", "-launcher", "ssh", "-launcher-exec", launcher, "-iface", "cable"]
    program = [BIN / "tomoinr", "reconstruct", stack, "--solver", "sirt", "--steps", "1000000"]
    options = ["--out", out, "--checkpoint-every", "20", "--trust", "none"]
    command = ["ip", "netns", "exec", nodes[0], *mpiexec, "-hosts", ",".join(ADDRESSES)]
    command += ["-ppn", "1", "-n", "2", *program, *options]
    settings = {"TOMOINR_DEADLINE": str(DEADLINE), "OMP_NUM_THREADS": "1"}
    settings |= {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}  # no memory is shared
    with log.open("wb") as file:
        job = subprocess.Popen(
            list(map(str, command)), env=os.environ | settings, stdout=file, stderr=file
        )
        try:
            begun = time.monotonic()
            while not list(out.glob("checkpoints/*.safetensors")):
                assert job.poll() is None and time.monotonic() - begun < 60, log.read_text()
                time.sleep(0.1)
            ip("-n", nodes[1], "link", "set", "cable", "down")
            assert job.wait(DEADLINE + 20) != 0
        finally:
            job.kill()
    assert "rank 1 on" in log.read_text() and "no answer for 4 s" in log.read_text()
    assert list(out.glob("checkpoints/*.safetensors")) and not (out / "volume.mrc").exists()
    ended = time.monotonic()
    while subprocess.run(["pgrep", "-f", str(out)], capture_output=True).stdout:
        assert time.monotonic() - ended < DEADLINE + 10, "processes are left over"
        time.sleep(0.2)
