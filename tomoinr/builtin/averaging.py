"""The mean of what was learned over the last part of a run: steadier than its last step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tomoinr.builtin.dither import Dither
from tomoinr.builtin.short import Portion, in_rows, portions
from tomoinr.builtin.tiny import Tiny, grain_of


class Average:
    """A running mean of parameters; nothing is held before it begins.

    Of a run whose length is known, over its last `part`; of one that may stop at any time
    (`steps` none), over about the last `part` of the steps so far.

    Of a parameter that it follows, step by step and portion by portion, it holds how far the mean
    is off: a small number, for which 8 bits will do.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], part: float, steps: int | None) -> None:
        self.parameters, self._part, self._steps = list(parameters), part, steps
        self._share = 0.0  # of the parameters to come in the mean; 0: it has not begun
        self._means: dict[nn.Parameter, Tensor] = {}
        self._beside: dict[nn.Parameter, Tiny] = {}
        self._dithers: dict[nn.Parameter, Dither] = {}
        self._step = 0

    @property
    def begun(self) -> bool:
        """Whether there is anything in the mean, after the step that `begin` told of."""
        return self._share > 0

    def begin(self, step: int) -> None:
        """The next parameters to come are those after so many steps."""
        counted = self._counted(step)
        self._share, self._step = 1 / counted if counted > 0 else 0.0, step

    def mean(self, parameter: nn.Parameter, portion: Portion) -> Tensor | None:
        """Of a portion that is about to move; none, if nobody need follow."""
        if not self.begun:
            return None
        if parameter not in self._beside:
            self._beside[parameter] = Tiny.like(parameter)
        now = portion.of(in_rows(parameter.detach()))
        return self._beside[parameter].at(portion, now.shape[1]).add_(now)

    def follow(self, parameter: nn.Parameter, portion: Portion, mean: Tensor) -> None:
        """It has moved; what the mean was before."""
        now = portion.of(in_rows(parameter.detach()))
        if parameter not in self._dithers:
            self._dithers[parameter] = grain_of(parameter)
        dither, off = self._dithers[parameter], mean.lerp_(now, self._share).sub_(now)
        self._beside[parameter].put(portion, off, dither.at(self._step, portion.rows))

    @torch.no_grad()
    def update(self) -> None:
        """Take in all parameters that are not followed."""
        for p in self.parameters:
            if self.begun and p not in self._beside:
                self._means.setdefault(p, p.detach().clone()).lerp_(p, self._share)

    def state_dict(self) -> list[Any]:
        """What is held of each parameter: the mean, or a pair that says how far it is off."""
        beside = {p: tuple(off) for p, off in self._beside.items()}
        return [(self._means | beside).get(p) for p in self.parameters]

    def load_state_dict(self, state: Sequence[Any]) -> None:
        """Go on from there."""
        for p, held in zip(self.parameters, state, strict=True):
            if isinstance(held, Tensor):
                self._means[p] = held.to(p.device, copy=True)
            elif held is not None:
                self._beside[p] = Tiny(*(part.to(p.device, copy=True) for part in held))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """With the mean in the parameters' place."""
        before = [p.detach().clone() for p in self.parameters]
        self.apply()
        yield
        assign(self.parameters, before)

    @torch.no_grad()
    def apply(self) -> None:
        """Put the mean in the parameters' place; what is held has done its service then."""
        for p, mean in self._means.items():
            p.copy_(mean)
        for p, off in self._beside.items():
            values = in_rows(p.detach())
            for portion in portions(slice(0, len(values)), values.shape[1]):
                some = portion.of(values)
                some.add_(off.at(portion, some.shape[1]))

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
