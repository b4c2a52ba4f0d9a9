"""Adam for large parameters: its moments in 16 bits, and nothing else as large as a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tomoinr.builtin.averaging import Average
from tomoinr.builtin.short import Portion, Short, in_rows, portions

SMALLEST = 1e-8  # torch's own, added to the root
# Of the second beta. Beyond, a step changes a root by less than 16 bits tell: it would stay as it
# is for ever.
SLOWEST = 0.995


class ShortAdam(torch.optim.Optimizer):
    """The path of torch's Adam, but for rounding the mean of gradients and the root of their
    squares' mean to 5e-4 of each.

    Nothing goes below `least`. The average is told of every move, so that it need not be held in
    full.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float],
        average: Average | None = None,
        least: float = -torch.inf,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})
        self._average, self._least = average or Average((), 0.0, 0), least

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move everything that has a gradient."""
        for parameter in self.moved():
            if parameter.grad is not None:
                self.begin(parameter).take(0, in_rows(parameter.grad.contiguous()))

    def moved(self) -> list[nn.Parameter]:
        """Everything that it moves."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def begin(self, parameter: nn.Parameter) -> Move:
        """One step more of a parameter, to be taken in parts."""
        (group,) = (g for g in self.param_groups if any(p is parameter for p in g["params"]))
        state = self.state[parameter]
        if not state:
            state.update(_nothing(parameter))
        state["step"] += 1
        return Move(parameter, state, group, self._average, self._least)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; torch makes moments as long as their parameters."""
        super().load_state_dict(state_dict)
        for moments in self.state.values():
            moments.update({name: moments[name].half() for name in ("mean", "root")})


class Move:
    """One step of a parameter: each of its rows (`in_rows`) is to be taken once, in any order."""

    def __init__(
        self,
        parameter: nn.Parameter,
        state: dict[str, Any],
        group: dict[str, Any],
        average: Average,
        least: float,
    ) -> None:
        self._parameter, self._average, self._least = parameter, average, least
        self._moments = [Short(state[name], state[f"{name} units"]) for name in ("mean", "root")]
        self._first, self._second = group["betas"]
        self._rate = group["lr"] / (1 - self._first ** state["step"])
        self._grown = (1 - self._second ** state["step"]) ** 0.5

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


def _nothing(parameter: Tensor) -> dict[str, Any]:
    """Before the first step."""
    mean, root = Short.like(parameter), Short.like(parameter)
    return {
        "step": 0,
        "mean": mean.numbers,
        "mean units": mean.units,
        "root": root.numbers,
        "root units": root.units,
    }
