"""What teams of processes have in common; how tensors travel differs."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError, reason
from tomoinr.team import Team
from tomoinr.teams.board import BOARD_NAP, Board
from tomoinr.teams.devices import Seat
from tomoinr.teams.flat import flattened, unflatten
from tomoinr.teams.sharing import packed, unpacked

T = TypeVar("T")


class Wired(Team):
    """One of several processes, with as many threads as it has cores to itself."""

    def __init__(self, board: Board, seat: Seat) -> None:
        self.rank, self.size, self.device = board.rank, len(board.hosts), torch.device(seat.device)
        self.board, self._node = board, seat.node
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(seat.threads)
        self._calls = 0  # of what all ranks do together, in the same order

    @abstractmethod
    def reduce(self, flat: Tensor) -> Callable[[], bool]:
        """Begin to sum a flat tensor over the ranks, in place; answers whether that is done."""

    @abstractmethod
    def broadcast(self, flat: Tensor) -> Callable[[], bool]:
        """Begin to replace it by rank 0's."""

    @abstractmethod
    def collect(self, part: Tensor, whole: Tensor, counts: list[int]) -> Callable[[], bool]:
        """Begin to join flat parts of so many numbers."""

    def trade(
        self, before: Tensor, after: Tensor, from_before: Tensor, from_after: Tensor
    ) -> Callable[[], bool] | None:
        """Begin to send to both neighbours and to receive from them; none: cannot be begun."""
        return None

    @abstractmethod
    def abort(self, code: int) -> None:
        """End all processes of the team, now."""

    def sum_(self, tensors: Iterable[Tensor]) -> None:
        """One call for all tensors of a kind."""
        self._together(tensors, self.reduce)

    def copy_(self, tensors: Iterable[Tensor]) -> None:
        """One call for all tensors of a kind."""
        self._together(tensors, self.broadcast)

    def gather(self, part: Tensor) -> Tensor:
        """Parts may differ in length, and some may be empty."""
        rows = torch.zeros(self.size, dtype=torch.int64, device=part.device)
        rows[self.rank] = len(part)
        self.sum_([rows])
        counts = [n * prod(part.shape[1:]) for n in rows.tolist()]
        whole = part.new_empty((int(rows.sum()), *part.shape[1:]))
        self._finish(self.collect(part.detach().reshape(-1), whole.view(-1), counts))
        return whole

    def swap(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """From neighbour to neighbour, where that can be begun; else by way of everyone."""
        theirs = before.clone(), after.clone()
        done = self.trade(before.contiguous(), after.contiguous(), *theirs)
        if done is None:
            return super().swap(before, after)
        self._finish(done)
        return theirs

    def first(self, work: Callable[[], T]) -> T | None:
        """Rank 0 works for as long as it takes; its mistakes are everyone's."""
        key = self._call("first")
        if self.rank:
            _raised(self.board.hear(key))
            return None
        with self.board.busy(key):
            value, wrong = _tried(work)
        self.board.write(key, wrong)
        _raised(wrong)
        return value

    def once_a_node(self, work: Callable[[], T]) -> T:
        """Large tensors are one copy for all ranks of the node."""
        if len(self._node) == 1:
            return work()
        leader = self._node[0]
        key = self._call(f"node/{leader}")
        if self.rank == leader:
            with self.board.busy(key):
                file, wrong = _tried(lambda: packed(work()))
            self.board.write(f"{key}/file", str(file))
            self.board.write(key, wrong)
        else:
            wrong = self.board.hear(key)
        _raised(wrong)
        path = Path(self.board.read(f"{key}/file"))
        value: T = unpacked(path)
        self.board.count(f"{key}/read", 1)
        if self.rank == leader:
            readers = len(self._node)
            self.board.until(lambda: self.board.count(f"{key}/read") == readers, key, BOARD_NAP)
            path.unlink()
        return value

    def close(self) -> None:
        """A rank that has gone is missed here at last."""
        board = self.board
        board.count("closed", 1)
        board.until(lambda: board.count("closed") >= self.size, "closed", BOARD_NAP)
        board.leave()

    def _together(
        self, tensors: Iterable[Tensor], begin: Callable[[Tensor], Callable[[], bool]]
    ) -> None:
        for flat, some in flattened(tensors):
            self._finish(begin(flat))
            unflatten(flat, some)

    def _finish(self, done: Callable[[], bool]) -> None:
        self.board.until(done, self._call("tensors"))

    def _call(self, kind: str) -> str:
        """A name on the board for what is done now, the same on all ranks."""
        self._calls += 1
        return f"{kind}/{self._calls}"


def _tried(work: Callable[[], T]) -> tuple[T | None, str]:
    """What it returns, or the mistake that a user should read."""
    try:
        return work(), ""
    except OSError as error:
        return None, f"{error.filename}: {reason(error)}" if error.filename else reason(error)
    except TomoinrError as error:
        return None, reason(error)


def _raised(wrong: str) -> None:
    if wrong:
        raise TomoinrError(wrong)
