"""Adam; for large parameters with moments in 16 bits, and nothing else as large as a parameter."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tomoinr.builtin.averaging import Average
from tomoinr.builtin.optimiser import Memory, Moved, Optimiser
from tomoinr.builtin.short import Portion, Short, in_rows, portions

SMALLEST = 1e-8  # torch's own, added to the root
# Of the second beta. Beyond, a step changes a root by less than 16 bits tell: it would stay as it
# is for ever.
SLOWEST = 0.995


class Adam(Optimiser):
    """The path of torch's (Kingma and Ba, 2015)."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(parameters, rate)
        self._betas = betas

    def move(self, some: list[Moved]) -> None:
        """By the mean of gradients over the root of their squares' mean."""
        first, second = self._betas
        for parameter, slope, memory in some:
            if not memory:
                memory.update(step=0, mean=torch.zeros_like(slope), square=torch.zeros_like(slope))
            memory["step"] += 1
            mean = memory["mean"].lerp_(slope, 1 - first)
            square = memory["square"].mul_(second).addcmul_(slope, slope, value=1 - second)
            root = square.sqrt().div_((1 - second ** memory["step"]) ** 0.5).add_(SMALLEST)
            parameter.addcdiv_(mean, root, value=-self.rate / (1 - first ** memory["step"]))


class ShortAdam(Optimiser):
    """The same, but for rounding the mean of gradients and the root of their squares' mean to 5e-4
    of each.

    Nothing goes below `least`. The average is told of every move, so that it need not be held in
    full.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        betas: tuple[float, float],
        average: Average | None = None,
        least: float = -torch.inf,
    ) -> None:
        super().__init__(parameters, rate)
        self.betas, self.least = betas, least
        self.average = average or Average((), 0.0, 0)

    def move(self, some: list[Moved]) -> None:
        """All rows at once."""
        for parameter, slope, _ in some:
            self.begin(parameter).take(0, in_rows(slope.contiguous()))

    def begin(self, parameter: nn.Parameter) -> Move:
        """One step more of a parameter, to be taken in parts."""
        (memory,) = (
            memory
            for p, memory in zip(self.parameters, self.memories, strict=True)
            if p is parameter
        )
        if not memory:
            memory.update(_nothing(parameter))
        memory["step"] += 1
        return Move(parameter, memory, self)


class Move:
    """One step of a parameter: each of its rows (`in_rows`) is to be taken once, in any order."""

    def __init__(self, parameter: nn.Parameter, memory: Memory, adam: ShortAdam) -> None:
        self._parameter, self._average, self._least = parameter, adam.average, adam.least
        self._moments = [Short(memory[name], memory[f"{name} units"]) for name in ("mean", "root")]
        self._first, self._second = adam.betas
        self._rate = adam.rate / (1 - self._first ** memory["step"])
        self._grown = (1 - self._second ** memory["step"]) ** 0.5

    @torch.no_grad()
    def take(self, first: int, slopes: Tensor) -> None:
        """Rows from the first on, by their gradient (rows, columns)."""
        values = in_rows(self._parameter.detach())
        for portion in portions(slice(first, first + len(slopes)), slopes.shape[1]):
            before = self._average.mean(self._parameter, portion)
            rows = slice(portion.rows.start - first, portion.rows.stop - first)
            self._move(portion, portion.of(values), slopes[rows, portion.columns])
            if before is not None:
                self._average.follow(self._parameter, portion, before)

    def _move(self, portion: Portion, values: Tensor, slope: Tensor) -> None:
        mean, root = (moment.at(portion) for moment in self._moments)
        mean.lerp_(slope, 1 - self._first)
        root.square_().mul_(self._second).addcmul_(slope, slope, value=1 - self._second).sqrt_()
        for kept, moment in zip(self._moments, (mean, root), strict=True):
            kept.put(portion, moment)
        values.addcdiv_(mean, root.div_(self._grown).add_(SMALLEST), value=-self._rate)
        if self._least > -torch.inf:
            values.clamp_(min=self._least)


def _nothing(parameter: Tensor) -> Memory:
    """Before the first step."""
    mean, root = Short.like(parameter), Short.like(parameter)
    return {
        "step": 0,
        "mean": mean.numbers,
        "mean units": mean.units,
        "root": root.numbers,
        "root units": root.units,
    }
