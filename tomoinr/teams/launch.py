"""What a launcher says of the processes that it started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# How each says which rank this is and how many there are; the first that speaks is believed, since
# launchers start one another (mpiexec inside an allocation of SLURM, for one). A batch script has a
# SLURM_PROCID too, but is no step.
LAUNCHERS = {
    "mpiexec or srun": ("PMI_RANK", "PMI_SIZE"),
    "Open MPI's mpiexec": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "torchrun": ("RANK", "WORLD_SIZE"),
    "srun": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
}
TORCHRUN = "torchrun"


class Launch(NamedTuple):
    """This process among those that were started together."""

    by: str
    rank: int
    size: int


ALONE = Launch("", 0, 1)


def launched(environment: Mapping[str, str]) -> Launch:
    """As the environment has it; a process that no launcher started is alone."""
    for by, names in LAUNCHERS.items():
        rank, size = (environment.get(name, "") for name in names)
        if rank.isdecimal() and size.isdecimal():
            return Launch(by, int(rank), int(size))
    return ALONE
