"""Numbers in 16 bits, each portion of them in a unit of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

PORTION = 1 << 16  # numbers at a time: what is worked out of them stays in a core's cache
HIGHEST = 15  # the power of two below which numbers are kept, half the range of 16 bits


class Portion(NamedTuple):
    """Some rows at some columns; which portion of each of these rows it is."""

    rows: slice
    columns: slice
    number: int

    def of(self, rows: Tensor) -> Tensor:
        """The same of any tensor (rows, columns)."""
        return rows[self.rows, self.columns]


class Short(NamedTuple):
    """Rows of a tensor; a unit for each portion of each row, so that rows come in any groups."""

    numbers: Tensor  # (rows, columns)
    units: Tensor  # (rows, portions)

    @classmethod
    def like(cls, tensor: Tensor) -> Short:
        """Zeros."""
        rows, columns = in_rows(tensor).shape
        numbers = torch.zeros(rows, columns, dtype=torch.float16, device=tensor.device)
        return cls(numbers, tensor.new_zeros(rows, -(-columns // PORTION)))

    def at(self, portion: Portion) -> Tensor:
        """A portion in 32 bits."""
        return portion.of(self.numbers).float().mul_(self.units[portion.rows, portion.number, None])

    def put(self, portion: Portion, values: Tensor) -> None:
        """A unit that is a power of two does not show in how numbers are rounded."""
        _, exponent = torch.frexp(values.abs().amax(1))  # 20 times as fast as its norm
        unit = torch.ldexp(torch.ones_like(exponent, dtype=values.dtype), exponent - HIGHEST)
        self.units[portion.rows, portion.number] = unit
        torch.div(values, unit[:, None], out=portion.of(self.numbers))


def in_rows(tensor: Tensor) -> Tensor:
    """Slices, or whatever the last two dimensions hold, one a row: (rows, columns)."""
    return tensor.view(-1, tensor.shape[-2:].numel())


def portions(rows: slice, columns: int) -> Iterator[Portion]:
    """Of some rows: several that are short, or a part of a long one."""
    together = max(1, PORTION // columns)
    for row in range(rows.start, rows.stop, together):
        some = slice(row, min(row + together, rows.stop))
        for number, column in enumerate(range(0, columns, PORTION)):
            yield Portion(some, slice(column, column + PORTION), number)
