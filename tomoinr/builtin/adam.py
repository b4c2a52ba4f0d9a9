"""Adam for large parameters: its moments in 16 bits, and nothing else as large as a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

PORTION = 1 << 16  # numbers at a time: what is worked out of them stays in a core's cache
SMALLEST = 1e-8  # torch's own, added to the root
# Of the second beta. Beyond, a step changes a root by less than 16 bits tell: it would stay as it
# is for ever.
SLOWEST = 0.995
HIGHEST = 15  # the power of two below which numbers are kept, half the range of 16 bits


class ShortAdam(torch.optim.Optimizer):
    """The path of torch's Adam, but for rounding the mean of gradients and the root of their
    squares' mean to 5e-4 of each."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move everything that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], *group["betas"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; torch makes moments as long as their parameters."""
        super().load_state_dict(state_dict)
        for moments in self.state.values():
            moments.update({name: moments[name].half() for name in ("mean", "root")})

    def _move(self, parameter: nn.Parameter, rate: float, first: float, second: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state.update(_nothing(parameter))
        state["step"] += 1
        rate, grown = rate / (1 - first ** state["step"]), (1 - second ** state["step"]) ** 0.5
        whole = (parameter.view(-1), parameter.grad.reshape(-1), state["mean"], state["root"])
        parts = zip(*(tensor.split(PORTION) for tensor in whole), strict=True)
        for (values, slope, *short), units in zip(parts, state["units"], strict=True):
            mean, root = map(_long, short, units)
            mean.lerp_(slope, 1 - first)
            root.square_().mul_(second).addcmul_(slope, slope, value=1 - second).sqrt_()
            for kept, moment, unit in zip(short, (mean, root), units, strict=True):
                _keep(moment, kept, unit)
            values.addcdiv_(mean, root.div_(grown).add_(SMALLEST), value=-rate)


def _nothing(parameter: Tensor) -> dict[str, Any]:
    """Before the first step; each portion's moments are in units of its own."""
    zeros = torch.zeros(parameter.numel(), dtype=torch.float16, device=parameter.device)
    units = parameter.new_zeros(-(-parameter.numel() // PORTION), 2)
    return {"step": 0, "mean": zeros, "root": zeros.clone(), "units": units}


def _long(short: Tensor, unit: Tensor) -> Tensor:
    return short.float().mul_(unit)


def _keep(moment: Tensor, short: Tensor, unit: Tensor) -> None:
    """In 16 bits; a unit that is a power of two does not show in how they are rounded."""
    _, exponent = torch.frexp(torch.linalg.vector_norm(moment, torch.inf))
    unit.copy_(torch.ldexp(torch.ones_like(unit), exponent - HIGHEST))
    torch.div(moment, unit, out=short)
