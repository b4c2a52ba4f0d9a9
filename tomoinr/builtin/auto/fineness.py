"""How fine the last lattice is: twice as fine as the images, where memory is not too short."""

from __future__ import annotations

from math import prod

import torch

from tomoinr.builtin.memory import free_memory
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem
from tomoinr.team import Team

FINEST = 2
# What was measured (benchmarks/memory.py), rounded up: so many volumes of the lattice, entries of
# sparse matrices per voxel of a slice and image, and copies of the images.
VOLUMES, ENTRIES, IMAGES = 5, 4, 31
NUMBER, ENTRY = 4, 8  # bytes of a value, and of a matrix's entry with its index
GIB = 2.0**30


def fineness(problem: Problem, team: Team) -> int:
    """Voxels along a pixel's edge; rank 0's answer, on all ranks."""
    free = free_memory(team.device)
    fitting = next((s for s in (FINEST, 1) if needed(problem, s) <= free), 0)
    agreed = torch.tensor(fitting, device=team.device)
    team.copy_([agreed])
    if not agreed:
        raise TomoinrError(
            f"needs about {needed(problem, 1) / GIB:.2g} GiB of memory, but {free / GIB:.2g} GiB "
            "are free: bin or crop the images (--prepare bin, --prepare crop), take a thinner box "
            "(--depth), or set the solver's 'finer' to 1 to try all the same"
        )
    return int(agreed)


def needed(problem: Problem, finer: int) -> float:
    """Bytes that total variation takes up on such a lattice, at most."""
    shape = problem.grid.finer(finer).shape
    channels, views, _, _ = problem.series.images.shape
    volume, images = prod(shape), prod(problem.series.images.shape)
    entries = ENTRIES * views * prod(shape[1:])
    return NUMBER * (channels * VOLUMES * volume + IMAGES * images) + ENTRY * entries
