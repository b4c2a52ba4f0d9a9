"""A SLURM of two nodes on this machine, for as long as a test lasts; needs root and its daemons."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PORT = 16817
CONFIGURATION = """\
ClusterName=tiny
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
FirstJobId={first_job}
AuthType=auth/munge
AuthInfo=socket={at}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=10
SlurmdParameters=config_overrides
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd-%n.pid
SlurmdSpoolDir={at}/spool-%n
StateSaveLocation={at}/state
SlurmctldLogFile={at}/slurmctld.log
SlurmdLogFile={at}/%n.log
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def daemon(name: str) -> str | None:
    """Where it is; folders of administrators are not in everyone's path."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def lacking() -> str:
    """Why it cannot run here; empty if it can."""
    missing = [name for name in DAEMONS if not daemon(name)]
    if missing:
        return f"no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "not root"


@contextmanager
def slurm(at: Path) -> Iterator[dict[str, str]]:
    """The environment in which its commands find it."""
    host = socket.gethostname()
    # MPICH names its shared memory by the job: numbers that no earlier job on this machine had.
    numbers = {
        "port": PORT,
        "first": PORT + 4,
        "last": PORT + 5,
        "first_job": int(time.time()) % 10**7,
    }
    (at / "slurm.conf").write_text(CONFIGURATION.format(at=at, host=host, **numbers))
    for folder in ("state", "spool-n1", "spool-n2"):
        (at / folder).mkdir()
    key = at / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    environment = os.environ | {"SLURM_CONF": str(at / "slurm.conf")}
    names = ("key-file", "log-file", "pid-file", "seed-file")
    files = [f"--{name}={at}/munge.{name.removesuffix('-file')}" for name in names]
    commands = [["munged", "-f", "-F", f"--socket={at}/munge.socket", *files]]
    commands += [["slurmctld", "-D"], *(["slurmd", "-D", "-N", node] for node in ("n1", "n2"))]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            command[0] = daemon(command[0]) or command[0]
            log = (at / f"{Path(command[0]).name}-{len(started)}.out").open("wb")
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
            time.sleep(0.5)
        _wait_for_nodes(environment, started)
        yield environment
        _end_jobs(environment)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _end_jobs(environment: dict[str, str]) -> None:
    """A job of which a test has despaired would outlive the daemons."""
    subprocess.run(["scancel", "--partition=main"], env=environment, capture_output=True)
    for _ in range(60):
        left = subprocess.run(["squeue", "-h"], env=environment, capture_output=True, text=True)
        if not left.stdout:
            return
        time.sleep(0.5)


def _wait_for_nodes(environment: dict[str, str], started: list[subprocess.Popen[bytes]]) -> None:
    for _ in range(60):
        if dead := [process.args for process in started if process.poll() is not None]:
            raise RuntimeError(f"ended at once: {dead}")
        told = subprocess.run(
            ["sinfo", "-h", "-o", "%T %D"], env=environment, capture_output=True, text=True
        )
        if told.stdout.split() == ["idle", "2"]:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the nodes do not come up: {told.stdout}{told.stderr}")
