"""The mean of what was learned over the last part of a run: steadier than its last step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """A running mean of parameters.

    Of a run whose length is known, over its last `part`; of one that may stop at any time
    (`steps` none), over about the last `part` of the steps so far.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], part: float, steps: int | None) -> None:
        self.values = [p.detach().clone() for p in parameters]
        self.parameters, self._part, self._steps = list(parameters), part, steps

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters as they are after so many steps."""
        if self.begun(step):
            for mean, p in zip(self.values, self.parameters, strict=True):
                mean.lerp_(p, 1 / self._counted(step))

    def begun(self, step: int) -> bool:
        """Whether there is anything in the mean after so many steps."""
        return self._counted(step) > 0

    def load(self, values: Sequence[Tensor]) -> None:
        """Go on from a mean that was saved."""
        assign(self.values, values)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """With the mean in the parameters' place."""
        before = [p.detach().clone() for p in self.parameters]
        self.apply()
        yield
        assign(self.parameters, before)

    def apply(self) -> None:
        """Put the mean in the parameters' place for good."""
        assign(self.parameters, self.values)

    def _counted(self, step: int) -> float:
        """How many steps the mean speaks for."""
        if self._steps is None:
            return max(1.0, self._part * step)
        return step - round(self._steps * (1 - self._part))


@torch.no_grad()
def assign(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy values into parameters."""
    for p, value in zip(parameters, values, strict=True):
        p.copy_(value)
