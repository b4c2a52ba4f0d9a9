"""Numbers in 8 bits, some neighbours in a unit of their own; rounded so that no error piles up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.dither import Dither
from tomoinr.builtin.short import PORTION, Portion, in_rows

GROUP = 64  # neighbours: of more, the largest makes the unit of the others too large
MOST = 126.0  # units, of what a unit follows from: rounding makes it one more at most
SMALLEST = 1e-30  # unit, so that zeros have one


class Tiny(NamedTuple):
    """Rows of a tensor, in groups of `GROUP` columns: those of the last are filled with zeros."""

    numbers: Tensor  # (rows, groups, GROUP)
    units: Tensor  # (rows, groups)

    @classmethod
    def like(cls, tensor: Tensor) -> Tiny:
        """Zeros."""
        rows, columns = in_rows(tensor).shape
        groups = -(-columns // GROUP)
        numbers = torch.zeros(rows, groups, GROUP, dtype=torch.int8, device=tensor.device)
        return cls(numbers, numbers.new_zeros(rows, groups, dtype=torch.bfloat16))

    def at(self, portion: Portion, columns: int) -> Tensor:
        """A portion in 32 bits, of so many columns."""
        groups = _groups(portion)
        units = groups.of(self.units).float()
        return groups.of(self.numbers).float().mul_(units[..., None]).flatten(1)[:, :columns]

    def put(self, portion: Portion, values: Tensor, dither: Tensor) -> None:
        """Values, which are used up, rounded down after a number from 0 to 1 was added to each."""
        groups, left = _groups(portion), -values.shape[1] % GROUP
        parts = functional.pad(values, (0, left)) if left else values
        parts = parts.unflatten(1, (-1, GROUP))
        kept = groups.of(self.units)
        kept.copy_(parts.abs().amax(2).div_(MOST).clamp_(min=SMALLEST))
        parts.div_(kept.float()[..., None]).add_(dither[:, : parts.shape[1]]).floor_()
        groups.of(self.numbers).copy_(parts)


def grain_of(tensor: Tensor) -> Dither:
    """For portions of a tensor's rows."""
    columns = min(PORTION, in_rows(tensor).shape[1])
    return Dither((-(-columns // GROUP), GROUP), tensor.device)


def _groups(portion: Portion) -> Portion:
    """Columns counted in groups."""
    columns = portion.columns
    some = slice(columns.start // GROUP, -(-columns.stop // GROUP))
    return portion._replace(columns=some)
