"""Who works together: one process is a team of one, so nobody asks whether there are more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


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

    def swap(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """What the ranks before and after this one have for it; the first and last get their own.

        Each rank gives `before` to the rank before it, `after` to the one after it; all these
        tensors are alike in shape.
        """
        given = self.gather(torch.stack((before, after))[None])
        last = self.size - 1
        return (
            given[self.rank - 1, 1] if self.rank else before,
            given[self.rank + 1, 0] if self.rank < last else after,
        )

    def first(self, work: Callable[[], T]) -> T | None:
        """Rank 0 does it, the others wait until it is done; only rank 0 has what it returns."""
        return None if self.rank else work()

    def once_a_node(self, work: Callable[[], T]) -> T:
        """What one rank of each node makes, for all its ranks; large tensors may be shared."""
        return work()

    def close(self) -> None:  # noqa: B027
        """Done: wait for the others, if there are any."""


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
