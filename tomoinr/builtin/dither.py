"""What is added before numbers are rounded down: evenly from 0 to 1, in time and over rows.

Else small steps would never add up to one unit. It follows from the step, so that a run that was
broken off goes on to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STEP, ROW = 0.6180339887, 0.7548776662


class Dither:
    """At the places of a row of any shape; alike for rows of the same number."""

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        grain = torch.rand(tuple(shape), generator=torch.Generator().manual_seed(0))
        self._grain = grain.to(device)

    def at(self, step: int, rows: slice) -> Tensor:
        """(rows, *shape)"""
        numbers = torch.arange(rows.start, rows.stop, dtype=torch.float64)
        phase = (step * STEP + numbers * ROW).frac().to(self._grain)
        return (self._grain + phase.view(-1, *self._grain.dim() * (1,))).frac_()
