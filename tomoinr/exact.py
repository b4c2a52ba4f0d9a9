"""The same bits on 1, 2 and 4 processes: always four ranks, those of a process in its threads."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem, Solver
from tomoinr.loop import Keeper, Observer, run
from tomoinr.team import Team
from tomoinr.teams.threads import together

RANKS = 4


def run_exactly(
    problem: Problem,
    solver: Solver,
    team: Team,
    observers: Sequence[Observer] = (),
    checkpoints: Keeper | None = None,
) -> Reconstruction:
    """As `run`, with one of four ranks in each of this process's threads."""
    if RANKS % team.size:
        raise TomoinrError(
            f"exact runs take 1, 2 or 4 ranks, this has {team.size}: start so many, or leave out "
            "--exact"
        )
    problem.projector.forget()  # matrices, which need not be copied and are soon made anew
    threads = RANKS // team.size
    parts = [(problem, solver), *(_copied(problem, solver) for _ in range(threads - 1))]
    keepers = [copy.copy(checkpoints) for _ in range(threads)]

    def one(rank: Team) -> Reconstruction:
        thread = rank.rank % threads
        return run(*parts[thread], rank, observers, keepers[thread])

    with _one_core_each():
        return together(threads, one, team)[0]


def _copied(problem: Problem, solver: Solver) -> tuple[Problem, Solver]:
    """All that is learned, once more; the images are not."""
    known: dict[int, Any] = {id(problem.series): problem.series}
    return copy.deepcopy((problem, solver), known)


@contextmanager
def _one_core_each() -> Iterator[None]:
    """How many cores share an operation shows in its last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
