"""What moves parameters by their gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

Memory = dict[str, Any]  # of one parameter: tensors and numbers
Moved = tuple[nn.Parameter, Tensor, Memory]  # with its gradient


class Optimiser(ABC):
    """Moves parameters step by step, and remembers of each what it needs.

    Not one of torch's: a process that makes its first one of these loads a compiler, which takes
    a second and 20 MiB.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        self.parameters, self.rate = list(parameters), rate
        self.memories: list[Memory] = [{} for _ in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move everything that has a gradient."""
        every = zip(self.parameters, self.memories, strict=True)
        self.move([(p, p.grad, memory) for p, memory in every if p.grad is not None])

    @abstractmethod
    def move(self, some: list[Moved]) -> None:
        """These, by their gradients."""

    def zero_grad(self) -> None:
        """Forget the last step's gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> list[Memory]:
        """What it remembers."""
        return self.memories

    def load_state_dict(self, state: list[Memory]) -> None:
        """Go on from there."""
        for parameter, memory, saved in zip(self.parameters, self.memories, state, strict=True):
            memory.clear()
            memory.update({name: _taken_over(value, parameter) for name, value in saved.items()})


def _taken_over(value: Any, parameter: Tensor) -> Any:
    """A number, or a tensor of its own where the parameter is."""
    return value.to(parameter.device, copy=True) if isinstance(value, Tensor) else value
