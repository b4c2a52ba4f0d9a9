"""The same bits on 1, 2 and 4 processes: always four ranks, those of a process in its threads.

Sums are taken in one order: (0 + 1) + (2 + 3).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeVar

import torch
from torch import Tensor

from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem, Solver
from tomoinr.loop import Keeper, Observer, run
from tomoinr.team import Team

T = TypeVar("T")
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
    table = _Table(team, threads)
    parts = [(problem, solver), *(_copied(problem, solver) for _ in range(threads - 1))]
    keepers = [copy.copy(checkpoints) for _ in range(threads)]

    def one(thread: int) -> Reconstruction:
        try:
            return run(*parts[thread], _Thread(table, thread), observers, keepers[thread])
        except BaseException:
            table.barrier.abort()
            raise

    with _one_core_each(), ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(one, thread) for thread in range(threads)]
        try:
            errors = [error for job in jobs if (error := job.exception())]
        except BaseException:  # of this thread: an impatient user
            table.barrier.abort()
            raise
    for found in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise found  # the cause, rather than the waiting that it broke
    return jobs[0].result()


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


class _Table:
    """Where the threads of a process meet; the first of them speaks to the other processes."""

    def __init__(self, team: Team, threads: int) -> None:
        self.team, self.barrier = team, Barrier(threads)
        self.parts: list[Any] = [None] * threads
        self.outcome: Any = None


class _Thread(Team):
    """One of four ranks."""

    def __init__(self, table: _Table, thread: int) -> None:
        self.rank = table.team.rank * len(table.parts) + thread
        self.size, self.device = RANKS, table.team.device
        self._table, self._thread = table, thread

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """In one order."""
        self._replace(list(tensors), self._sums)

    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """Rank 0 is the first thread of the first process."""
        self._replace(list(tensors), self._copies)

    def gather(self, part: Tensor) -> Tensor:
        """The ranks of a process follow one another."""
        found: Tensor = self._meet(part.detach(), lambda: self._all(torch.cat(self._table.parts)))
        return found.clone()

    def first(self, work: Callable[[], T]) -> T | None:
        """The first thread of the first process."""
        value: T | None = self._meet(None, lambda: self._table.team.first(work))
        return None if self.rank else value

    def _replace(self, tensors: list[Tensor], combine: Callable[[], list[Tensor]]) -> None:
        found = self._meet([tensor.detach().clone() for tensor in tensors], combine)
        with torch.no_grad():
            for tensor, result in zip(tensors, found, strict=True):
                tensor.copy_(result)
        self._table.barrier.wait()  # before anyone changes what others are still to read

    def _meet(self, part: Any, work: Callable[[], Any]) -> Any:
        """Everyone lays down a part; the first thread works on all of them, for everyone."""
        table = self._table
        table.parts[self._thread] = part
        table.barrier.wait()
        if self._thread == 0:
            table.outcome = work()
        table.barrier.wait()
        return table.outcome

    def _sums(self) -> list[Tensor]:
        mine = [torch.stack(parts) for parts in zip(*self._table.parts, strict=True)]
        return [(a + b) + (c + d) for a, b, c, d in map(self._all, mine)]

    def _copies(self) -> list[Tensor]:
        found: list[Tensor] = self._table.parts[0]
        self._table.team.copy_(found)
        return found

    def _all(self, mine: Tensor) -> Tensor:
        return self._table.team.gather(mine)
