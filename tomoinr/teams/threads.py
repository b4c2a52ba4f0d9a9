"""A team whose ranks are threads: all of a process's, or some of each of several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeVar

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.team import Solo, Team

T = TypeVar("T")


def together(
    threads: int, work: Callable[[Team], T], team: Team | None = None, patience: float | None = None
) -> list[T]:
    """What the work of each thread's rank returns; `team` joins those of several processes.

    One rank's error ends the others' waiting, and is raised; so is waiting beyond `patience`
    seconds.
    """
    table = _Table(team or Solo(), threads, patience)

    def one(thread: int) -> T:
        try:
            return work(ThreadTeam(table, thread))
        except BaseException:
            table.barrier.abort()
            raise

    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(one, thread) for thread in range(threads)]
        try:
            errors = [error for job in jobs if (error := job.exception())]
        except BaseException:  # of this thread: an impatient user
            table.barrier.abort()
            raise
    for found in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise found  # the cause, rather than the waiting that it broke
    return [job.result() for job in jobs]


class _Table:
    """Where the threads of a process meet; the first of them speaks to the other processes."""

    def __init__(self, team: Team, threads: int, patience: float | None) -> None:
        self.team, self.barrier = team, Barrier(threads, timeout=patience)
        self.parts: list[Any] = [None] * threads
        self.outcome: Any = None


class ThreadTeam(Team):
    """One of the ranks; those of a process follow one another."""

    def __init__(self, table: _Table, thread: int) -> None:
        self.rank = table.team.rank * len(table.parts) + thread
        self.size, self.device = table.team.size * len(table.parts), table.team.device
        self._table, self._thread = table, thread

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """In one order, on however many processes: (0 + 1) + (2 + 3)."""
        self._replace(list(tensors), self._sums)

    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """Rank 0 is the first thread of the first process."""
        self._replace(list(tensors), self._copies)

    def gather(self, part: Tensor) -> Tensor:
        """Joined in the order of the ranks."""
        found: Tensor = self._meet(part.detach(), lambda: self._all(torch.cat(self._table.parts)))
        return found.clone()

    def first(self, work: Callable[[], T]) -> T | None:
        """Its mistakes are everyone's."""

        def tried() -> tuple[T | None, str]:
            try:
                return self._table.team.first(work), ""
            except TomoinrError as error:
                return None, str(error)

        value: T | None
        value, wrong = self._meet(None, tried)
        if wrong:
            raise TomoinrError(wrong)
        return None if self.rank else value

    def _replace(self, tensors: list[Tensor], combine: Callable[[], list[Tensor]]) -> None:
        found = self._meet([tensor.detach().clone() for tensor in tensors], combine)
        with torch.no_grad():
            for tensor, result in zip(tensors, found, strict=True):
                tensor.copy_(result)

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
        mine = (torch.stack(parts) for parts in zip(*self._table.parts, strict=True))
        return [_in_pairs(list(self._all(some))) for some in mine]

    def _copies(self) -> list[Tensor]:
        found: list[Tensor] = self._table.parts[0]
        self._table.team.copy_(found)
        return found

    def _all(self, mine: Tensor) -> Tensor:
        return self._table.team.gather(mine)


def _in_pairs(parts: list[Tensor]) -> Tensor:
    """The sum, of neighbours first."""
    while len(parts) > 1:
        odd = parts[len(parts) // 2 * 2 :]
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)] + odd
    return parts[0]
