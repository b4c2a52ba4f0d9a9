"""A team over MPI: the host's memory is summed by mpi4py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor

from tomoinr.teams.wired import Wired

UP, DOWN = 1, 2  # tags: towards higher ranks, and towards lower ones
NARROW = (torch.float16, torch.bfloat16)  # not known to MPI


class MpiTeam(Wired):
    """Numbers elsewhere than in the host's memory go through it."""

    def reduce(self, flat: Tensor) -> Callable[[], bool]:
        """Begin `Iallreduce`: unlike the blocking call it can be left."""
        return _through_host(flat, lambda x: MPI.COMM_WORLD.Iallreduce(MPI.IN_PLACE, x))

    def broadcast(self, flat: Tensor) -> Callable[[], bool]:
        """Begin `Ibcast`."""
        return _through_host(flat, MPI.COMM_WORLD.Ibcast)

    def collect(self, part: Tensor, whole: Tensor, counts: list[int]) -> Callable[[], bool]:
        """Begin `Iallgatherv`."""
        mine = _host(part)
        return _through_host(whole, lambda x: MPI.COMM_WORLD.Iallgatherv(mine, [x, counts]))

    def trade(
        self, before: Tensor, after: Tensor, from_before: Tensor, from_after: Tensor
    ) -> Callable[[], bool]:
        """Begin `Isend` and `Irecv`; what the ends have no neighbour for stays as it is."""
        world = MPI.COMM_WORLD
        low = self.rank - 1 if self.rank else MPI.PROC_NULL
        high = self.rank + 1 if self.rank + 1 < self.size else MPI.PROC_NULL
        there = [(_host(from_before), low, UP), (_host(from_after), high, DOWN)]
        requests = [world.Irecv(numbers, *where) for numbers, *where in there]
        given = [(_host(before), low, DOWN), (_host(after), high, UP)]
        requests += [world.Isend(numbers, *where) for numbers, *where in given]

        def done() -> bool:
            if not MPI.Request.Testall(requests):
                return False
            for target, (numbers, *_) in zip((from_before, from_after), there, strict=True):
                _put_back(target, numbers)
            return True

        return done

    def abort(self, code: int) -> None:
        """By MPI, which tells the launcher."""
        sys.stdout.flush()
        sys.stderr.flush()
        MPI.COMM_WORLD.Abort(code)


def _through_host(flat: Tensor, begin: Callable[[np.ndarray], Any]) -> Callable[[], bool]:
    """Begin with the numbers in the host's memory; when that is done they are put back."""
    numbers = _host(flat)
    request = begin(numbers)

    def done() -> bool:
        if not request.Test():
            return False
        _put_back(flat, numbers)
        return True

    return done


def _put_back(tensor: Tensor, numbers: np.ndarray) -> None:
    """Into the tensor, if its memory is not the numbers' own."""
    if numbers.ctypes.data != tensor.data_ptr():
        tensor.copy_(torch.from_numpy(numbers))


def _host(flat: Tensor) -> np.ndarray:
    """As an array: the tensor's own memory, if that is the host's and of a type MPI knows."""
    wide = flat.float() if flat.dtype in NARROW else flat
    numbers: np.ndarray = wide.cpu().numpy()
    return numbers
