"""Who works together: one process is a team of one, so nobody asks whether there are more."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError


class Team(ABC):
    """Ranks that share the work of a step and agree on its outcome."""

    rank: int
    size: int
    device: torch.device

    def share(self, n: int) -> slice:
        """This rank's part of `n` units; the parts of all ranks make up the whole."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    @abstractmethod
    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the ranks."""

    @abstractmethod
    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by rank 0's."""

    @abstractmethod
    def gather(self, part: Tensor) -> Tensor:
        """The ranks' parts, joined along the first axis, on every rank."""


class Solo(Team):
    """A team of one: nothing to sum, copy or gather."""

    rank, size = 0, 1

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """The sum of one is itself."""

    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """Rank 0 has them already."""

    def gather(self, part: Tensor) -> Tensor:
        """The part is the whole."""
        return part


# The number of ranks as MPICH's, Open MPI's, SLURM's and torchrun's launchers tell it.
LAUNCHERS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE")


def open_team() -> Team:
    """The team this process was launched into; called once, by the command line."""
    for variable in LAUNCHERS:
        if os.environ.get(variable, "1") not in ("", "1"):
            raise TomoinrError(
                f"started as {os.environ[variable]} ranks ({variable}), but this version runs on "
                "one process only: start it without mpiexec, srun or torchrun"
            )
    return Solo("cuda" if torch.cuda.is_available() else "cpu")
