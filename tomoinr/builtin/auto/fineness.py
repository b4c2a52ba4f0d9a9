"""How fine the last lattice is: twice as fine as the images, as far as memory has room for it."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch

from tomoinr.builtin.auto.find_poses import halvings
from tomoinr.builtin.auto.options import AutoOptions
from tomoinr.builtin.auto.piece import MARGIN
from tomoinr.builtin.memory import free_memory
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem
from tomoinr.team import Team

FINEST = 2
# Rows of pixels whose slices are worth a piece, since those beside it take time as well: if there
# is no other way, and if there is.
FEWEST, ENOUGH = 8, 32
# What was measured (benchmarks/memory.py), rounded up: so many volumes of the lattice, entries of
# sparse matrices per voxel of a slice and image; what a block of slices needs in between, in
# slices; and, in bytes, what does not depend on sizes.
VOLUMES, ENTRIES, BLOCK, REST = 2.65, 2, 64, 26 << 20
# Copies of the images, on all slices at once and in pieces; what finer pieces have shown, besides.
IMAGES, PIECES, SHOWN = 7, 5, 4
OWN = 5  # volumes of the images' own lattice, while poses are searched for
# Bytes of a value; of a matrix's entry with its index, and of that in 16 bits, as CPUs have it.
NUMBER, ENTRY, NARROW = 4, 8, 4
SMALL = 64 << 20  # bytes of volume and images, up to which the best there is takes about 1 GiB
GIB = 2.0**30


class Lattice(NamedTuple):
    """Voxels along a pixel's edge; the rows of pixels whose slices are `together` (0: all).

    `plain`: the same before, on the images' own lattice, and on that alone if `finer` is 1.
    `short`: it would be finer, or whole, if it might take more memory.
    """

    finer: int
    together: int = 0
    plain: int = 0
    short: bool = False


def lattice(problem: Problem, team: Team, options: AutoOptions) -> Lattice:
    """What was asked for, if anything; else rank 0's answer, on all ranks."""
    finest, rows = options.finer or FINEST, problem.grid.shape[0]
    if options.together:
        together = options.together if options.together < rows else 0
        return Lattice(finest, together) if finest > 1 else Lattice(1, plain=together)
    if options.finer and not options.memory:
        return Lattice(finest)
    free = options.memory * GIB or _usual(problem, options.within, team.device)
    agreed = torch.tensor(fitting(problem, free, finest), device=team.device)
    team.copy_([agreed])
    finer, together, plain, short = agreed.tolist()
    if not finer:
        least = min(needed(problem, 1, some) for some in _pieces(problem))
        limit = "allowed" if options.memory else "free"
        way_out = "allow more" if options.memory else "set its 'finer' to 1 to try all the same"
        raise TomoinrError(
            f"auto needs about {least / GIB:.2g} GiB of memory, but {free / GIB:.2g} GiB "
            f"are {limit}: bin or crop the images (--prepare bin, --prepare crop), take a thinner "
            f"box (--depth), or {way_out}"
        )
    return Lattice(finer, together, plain, bool(short))


def _usual(problem: Problem, within: float, device: torch.device) -> float:
    """Bytes that may be taken where nobody says how many.

    Of large images finer voxels win little (docs/large.md), but take up to 27 times the memory of
    volume and images, and three times as long.
    """
    free = free_memory(device)
    taken = NUMBER * (prod(problem.grid.shape) + prod(problem.series.shape))
    taken *= len(problem.series.channels)
    if device.type != "cpu" or not within or taken <= SMALL:
        return free
    least = min(needed(problem, 1, some) for some in _pieces(problem, ENOUGH))
    return min(free, max(within * taken, least))


def fitting(problem: Problem, free: float, finest: int = FINEST) -> Lattice:
    """The best for which so many bytes will do; `finer` is 0 if there is none."""
    plain, together = (
        next((some for some in _pieces(problem) if needed(problem, finer, some) <= free), None)
        for finer in (1, finest)
    )
    if plain is None:
        return Lattice(0, short=True)
    if together is None or finest == 1:
        return Lattice(1, plain=plain, short=finest > 1 or plain > 0)
    return Lattice(finest, together, plain, short=together + plain > 0)


def _pieces(problem: Problem, fewest: int = FEWEST) -> list[int]:
    """Rows whose slices may be together: all (0), or fewer and fewer of them."""
    rows = problem.grid.shape[0]
    return [0, *(-(-rows // count) for count in range(2, rows // fewest + 1))]


def needed(problem: Problem, finer: int, together: int = 0) -> float:
    """Bytes that it takes at most to have so many rows' slices on such a lattice at a time."""
    return max(_solving(problem, finer, together), _searching(problem))


def _solving(problem: Problem, finer: int, together: int) -> float:
    own, shape = problem.grid.shape, problem.grid.finer(finer).shape
    held = min(together + 2 * MARGIN, own[0]) * finer if together else shape[0]
    volumes = prod(own) + (VOLUMES * held + BLOCK) * prod(shape[1:])
    images = PIECES + SHOWN * (finer > 1) if together else IMAGES
    return _bytes(problem, volumes, images, ENTRIES * prod(shape[1:]))


def _searching(problem: Problem) -> float:
    """For poses, on images that may be binned."""
    own, bins = problem.grid.shape, 2 ** halvings(problem.series.shape[2])
    volumes = prod(own) * (1 + OWN / bins**3) + BLOCK * prod(own[1:]) / bins**2
    return _bytes(problem, volumes, PIECES, 2 * ENTRIES * prod(own[1:]) / bins**2)


def _bytes(problem: Problem, voxels: float, images: int, entries: float) -> float:
    """Of voxels, of copies of the images, and of a matrix's entries for each view."""
    taken = problem.series.images
    channels, views, _, _ = taken.shape
    entry = NARROW if taken.device.type == "cpu" else ENTRY
    numbers = channels * voxels + images * prod(taken.shape)
    return REST + NUMBER * numbers + entry * entries * views
