"""Pixels in random order, as quantEM's loop takes them, of images of any shape."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.sampling import Draw


class Batches:
    """In place of quantEM's loader, which takes square images, no fewer pixels across than tilts.

    A pass sees every pixel once, but for a rest smaller than a batch, which is left out, as there.
    `first` and `count` say which batches the next round gives; each is a function of its number.
    """

    def __init__(
        self, series: TiltSeries, tilts: Tensor, side: int, size: int, seed: int, unit: float
    ) -> None:
        self._values = series.images[0] / unit
        self._tilts, self._side, self._seed = tilts, side, seed
        self._size = min(size, self._values.numel())
        self._order = (-1, torch.empty(0))
        self.pass_ = self._values.numel() // self._size
        self.first = self.count = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for number in range(self.first, self.first + self.count):
            yield self._batch(number)

    def _batch(self, number: int) -> dict[str, Tensor]:
        """Values, and where they stand in the middle of quantEM's square detector."""
        turn, place = divmod(number, self.pass_)
        index = self._shuffled(turn)[place * self._size : (place + 1) * self._size]
        _, rows, columns = self._values.shape
        view, pixel = index // (rows * columns), index % (rows * columns)
        row, column = pixel // columns, pixel % columns
        return {
            "projection_idx": view,
            "pixel_i": columns - 1 - column + (self._side - columns) / 2,
            "pixel_j": row + (self._side - rows) / 2,
            "phi": self._tilts[view],
            "target_value": self._values[view, row, column],
        }

    def _shuffled(self, turn: int) -> Tensor:
        """All pixels, in the order of a pass."""
        if self._order[0] != turn:
            random = Draw(self._seed, turn).generator(0)
            order = torch.from_numpy(random.permutation(self._values.numel()))
            self._order = (turn, order.to(self._values.device))
        return self._order[1]
