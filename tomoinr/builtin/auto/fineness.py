"""How fine the last lattice is: twice as fine as the images, as far as memory has room for it."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch

from tomoinr.builtin.auto.piece import MARGIN
from tomoinr.builtin.memory import free_memory
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem
from tomoinr.team import Team

FINEST = 2
FEWEST = 8  # rows of pixels whose slices are worth a piece: those beside it take time as well
# What was measured (benchmarks/memory.py), rounded up: so many volumes of the lattice, entries of
# sparse matrices per voxel of a slice and image, copies of the images; and what a block of slices
# needs in between, in slices.
VOLUMES, ENTRIES, IMAGES, BLOCK = 3, 2, 20, 240
OWN = 5  # volumes of the images' own lattice, while poses are searched for
NUMBER, ENTRY = 4, 8  # bytes of a value, and of a matrix's entry with its index
GIB = 2.0**30


class Lattice(NamedTuple):
    """Voxels along a pixel's edge; the rows of pixels whose slices are `together` (0: all).

    `short`: it would be finer, or whole, if there were more memory.
    """

    finer: int
    together: int = 0
    short: bool = False


def lattice(problem: Problem, team: Team, finer: int = 0, together: int = 0) -> Lattice:
    """What was asked for, if anything; else rank 0's answer, on all ranks."""
    rows = problem.grid.shape[0]
    if together and (finer or FINEST) > 1:
        return Lattice(finer or FINEST, together if together < rows else 0)
    if finer:
        return Lattice(finer)
    free = free_memory(team.device)
    agreed = torch.tensor(fitting(problem, free), device=team.device)
    team.copy_([agreed])
    finer, together, short = agreed.tolist()
    if not finer:
        raise TomoinrError(
            f"needs about {needed(problem, 1) / GIB:.2g} GiB of memory, but {free / GIB:.2g} GiB "
            "are free: bin or crop the images (--prepare bin, --prepare crop), take a thinner box "
            "(--depth), or set the solver's 'finer' to 1 to try all the same"
        )
    return Lattice(finer, together, bool(short))


def fitting(problem: Problem, free: float) -> Lattice:
    """The best for which so many bytes will do; `finer` is 0 if there is none."""
    if needed(problem, FINEST) <= free:
        return Lattice(FINEST)
    rows = problem.grid.shape[0]
    parts = range(2, rows // FEWEST + 1)
    sizes = (-(-rows // count) for count in parts)
    together = next((n for n in sizes if needed(problem, FINEST, n) <= free), 0)
    if together:
        return Lattice(FINEST, together, short=True)
    return Lattice(int(needed(problem, 1) <= free), short=True)


def needed(problem: Problem, finer: int, together: int = 0) -> float:
    """Bytes that it takes at most to have so many rows' slices on such a lattice at a time."""
    own, shape = problem.grid.shape, problem.grid.finer(finer).shape
    channels, views, _, _ = problem.series.images.shape
    held = min(together + 2 * MARGIN, own[0]) * finer if together else shape[0]
    volumes = VOLUMES * held * prod(shape[1:]) + 2 * prod(own)
    block = BLOCK * prod(shape[1:])
    images = IMAGES * prod(problem.series.images.shape)
    fine = channels * (volumes + block) + images
    searching = channels * (OWN * prod(own) + BLOCK * prod(own[1:])) + images
    return max(
        NUMBER * fine + ENTRY * ENTRIES * views * prod(shape[1:]),
        NUMBER * searching + ENTRY * 2 * ENTRIES * views * prod(own[1:]),
    )
