"""Sparse matrices put together from parts: plain ones, and for CPUs those in tiles.

A tile of a large matrix holds columns and values in 16 bits each, half of what a plain matrix
takes, and is made plain right before its product. A core's cache has it then, and what it
multiplies as well, so that this takes no longer than to read a plain matrix from memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

STEPS = (1 << 16) - 1  # from zero to the largest value, in 16 bits


class Part(NamedTuple):
    """Some rows of a matrix at some of its columns, which are counted from the first of these."""

    top: int  # the first row
    left: int  # the first column
    width: int  # columns
    counts: Tensor  # entries a row
    columns: Tensor
    values: Tensor


@dataclass(frozen=True)
class Tiles:
    """A matrix of parts with the rows' starts for counts; of these values, times `scale`."""

    shape: tuple[int, int]
    scale: float
    tiles: tuple[Part, ...]  # columns and values in 32 bits each, or in 16

    def __matmul__(self, dense: Tensor) -> Tensor:
        """The product, in single precision."""
        out = dense.new_empty(self.shape[0], dense.shape[1])
        room = max(len(tile.columns) for tile in self.tiles)
        columns, values = torch.empty(room, dtype=torch.int32), torch.empty(room)
        for tile in self.tiles:
            rows = out[tile.top : tile.top + len(tile.counts) - 1]
            seen = dense[tile.left : tile.left + tile.width]
            beta = float(tile.left > 0)  # the leftmost writes what others add to
            plain = _plain(tile, columns, values)
            torch.addmm(rows, plain, seen, beta=beta, alpha=self.scale, out=rows)
        return out


Matrix = Tensor | Tiles


def tiled(parts: Iterable[Part], shape: tuple[int, int], most: int) -> Tiles:
    """In tiles of so many entries at most; of parts beside one another, the leftmost first."""
    tiles = (part._replace(counts=_starts(part.counts)) for part in _stacked(parts, most))
    return Tiles(shape, 1.0, tuple(tiles))


def narrow(
    parts: Iterable[Part], shape: tuple[int, int], most: int, room: int, largest: float
) -> Tiles:
    """The same in 16 bits: values from 0 to `largest`, parts up to 65536 columns wide.

    All entries, at most so many as there is `room` for, are in one place: between tiles that had
    memory of their own, that of their parts would be lost. What is never touched takes up none.
    """
    scale = largest / STEPS
    columns, values = (torch.empty(room, dtype=torch.int16) for _ in range(2))

    def halved() -> Iterator[Part]:
        stop = 0
        for part in parts:
            here = slice(stop, stop := stop + len(part.values))
            columns[here] = _in_16_bits(part.columns)
            values[here] = _in_16_bits(part.values.div(scale).round_())
            yield part._replace(columns=columns[here], values=values[here])

    return replace(tiled(halved(), shape, most), scale=scale)


def _stacked(parts: Iterable[Part], most: int) -> Iterator[Part]:
    """Those one below the other put together, while they have so many entries at most."""
    stack: list[Part] = []
    for part in parts:
        entries = sum(len(each.values) for each in (*stack, part))
        if stack and (part.left != stack[0].left or entries > most):
            yield _one(stack)
            stack = []
        stack.append(part)
    yield _one(stack)


def _one(stack: list[Part]) -> Part:
    top, left, width = stack[0][:3]
    counts, columns, values = zip(*(part[3:] for part in stack), strict=True)
    return Part(top, left, width, torch.cat(counts), _run(columns), _run(values))


def _run(tensors: tuple[Tensor, ...]) -> Tensor:
    """One after the other; without a copy, if that is how they are in memory."""
    first, *others = tensors
    stop = first.data_ptr() + first.nbytes
    for other in others:
        if other.data_ptr() != stop:
            return torch.cat(tensors)
        stop += other.nbytes
    return first.as_strided((sum(map(len, tensors)),), (1,))


def _in_16_bits(whole: Tensor) -> Tensor:
    """From 0 to 65535; but said to have a sign, or they could not be pickled."""
    return whole.to(torch.uint16).view(torch.int16)


def _plain(tile: Part, columns: Tensor, values: Tensor) -> Tensor:
    """As it is, or if that is narrow, copied to where there is room."""
    if tile.values.dtype != torch.int16:
        return csr(tile.counts, tile.columns, tile.values, tile.width)
    entries = len(tile.values)
    columns = columns[:entries].copy_(tile.columns.view(torch.uint16))
    values = values[:entries].copy_(tile.values.view(torch.uint16))
    return csr(tile.counts, columns, values, tile.width)


def joined(parts: Iterable[Part], width: int, room: int, device: torch.device) -> Tensor:
    """A plain matrix of parts, one below the other, with at most so many entries.

    Room that is left over was never touched, so on a CPU it takes up no memory.
    """
    columns = torch.empty(room, dtype=torch.int32, device=device)
    values, counts, filled = torch.empty_like(columns, dtype=torch.float32), [], 0
    for part in parts:
        here = slice(filled, filled + len(part.values))
        columns[here], values[here], filled = part.columns, part.values, here.stop
        counts.append(part.counts)
    return csr(_starts(torch.cat(counts)), columns[:filled], values[:filled], width)


def _starts(counts: Tensor) -> Tensor:
    """Where each row's entries begin, and where the last one's end; in 32 bits."""
    ends = counts.cumsum(0)
    return torch.cat((ends.new_zeros(1), ends)).int()


def csr(starts: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """A plain matrix: where each row's entries begin, the column and the value of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # CSR products are all that is used here
        return torch.sparse_csr_tensor(
            starts, columns, values, (len(starts) - 1, width), check_invariants=False
        )
