"""A team within one process: every rank is a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TypeVar

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.team import Team

T = TypeVar("T")
PATIENCE = 30.0  # seconds that a rank waits for the others


class ThreadTeam(Team):
    """One rank of a team of threads that meet at a table."""

    device = torch.device("cpu")

    def __init__(self, rank: int, table: list[list[Tensor]], barrier: Barrier) -> None:
        self.rank, self.size, self._table, self._barrier = rank, len(table), table, barrier

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """Added in the order of the ranks, so that all get the same."""
        self._replace(list(tensors), lambda parts: torch.stack(parts).sum(0))

    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """Rank 0's."""
        self._replace(list(tensors), lambda parts: parts[0])

    def gather(self, part: Tensor) -> Tensor:
        """Joined in the order of the ranks."""
        return torch.cat([theirs for (theirs,) in self._meet([part])])

    def first(self, work: Callable[[], T]) -> T | None:
        """Rank 0 works, and its mistakes are everyone's."""
        value, wrong = None, ""
        if self.rank == 0:
            try:
                value = work()
            except TomoinrError as error:
                wrong = str(error)
        (told,), *_ = self._meet([torch.tensor(list(wrong.encode()), dtype=torch.uint8)])
        if len(told):
            raise TomoinrError(bytes(told.tolist()).decode())
        return value

    def _replace(self, tensors: list[Tensor], combine: Callable[[list[Tensor]], Tensor]) -> None:
        everyone = self._meet(tensors)
        with torch.no_grad():
            for tensor, *parts in zip(tensors, *everyone, strict=True):
                tensor.copy_(combine(parts))

    def _meet(self, mine: list[Tensor]) -> list[list[Tensor]]:
        self._table[self.rank] = [tensor.detach().clone() for tensor in mine]
        self._barrier.wait(PATIENCE)
        everyone = list(self._table)
        self._barrier.wait(PATIENCE)
        return everyone


def together(size: int, work: Callable[[Team], T]) -> list[T]:
    """What each rank's work returns; one rank's error ends the others' waiting and is raised."""
    table: list[list[Tensor]] = [[] for _ in range(size)]
    barrier = Barrier(size)

    def one(rank: int) -> T:
        try:
            return work(ThreadTeam(rank, table, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        jobs = [pool.submit(one, rank) for rank in range(size)]
    errors = [error for job in jobs if (error := job.exception())]
    for found in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise found  # the cause, rather than the waiting that it broke
    return [job.result() for job in jobs]
