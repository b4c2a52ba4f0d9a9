"""What was written is read again, before it takes its name: something may have been lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

CLOSE = 1e-5  # relative: sums are taken in another order, pixel sizes are rounded


class Tally(NamedTuple):
    """What does not depend on the order of axes."""

    number: int
    low: float
    high: float
    total: float
    squares: float

    def agrees(self, other: Tally) -> bool:
        """Within rounding."""
        size = (self.squares * self.number) ** 0.5  # at least the sum of absolute values
        scale = np.array([1, 1, 1, size or 1, self.squares or 1])
        away = np.abs(np.array(self) - np.array(other)) / scale
        return self.number == other.number and bool(np.all(away <= CLOSE))


def verify(path: Path, value: TiltSeries | Reconstruction, plugins: Plugins) -> None:
    """Refuse a file whose values or pixel size are not those meant.

    What no reader knows passes, and what none would take: numbers that are not finite.
    """
    stack = plugins.read(path)
    if not isinstance(stack, Stack):
        return
    if isinstance(value, TiltSeries):
        meant, spacing = tally(value.images.cpu().numpy()), value.pixel_size
    else:
        meant, spacing = tally(value.voxels), value.grid.spacing
    if not np.isfinite(meant.squares):
        return
    found = tally(stack.image(i) for i in range(stack.shape[0]))
    size = 1.0 if stack.pixel_size is None else stack.pixel_size
    if not meant.agrees(found) or abs(size - spacing) > CLOSE * spacing:
        raise TomoinrError(
            f"read again, it holds {found.number} values from {found.low:g} to {found.high:g} at "
            f"{size:g} Å, not {meant.number} from {meant.low:g} to {meant.high:g} "
            f"at {spacing:g} Å: the disk may be at fault; try another"
        )


def tally(parts: Iterable[np.ndarray]) -> Tally:
    """Of all numbers in some arrays."""
    low, high, total, squares, count = np.inf, -np.inf, 0.0, 0.0, 0
    for part in parts:
        values = np.asarray(part, np.float32)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        total += float(values.sum(dtype=np.float64))
        squares += float(np.square(values, dtype=np.float64).sum())
        count += values.size
    return Tally(count, low, high, total, squares)
