"""The state most solvers need: a step count and some tensors."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class Iterate:
    """Where an iteration stands; `tensors` is what the next step starts from.

    `of`: steps planned in all, where it is not the solver's option `steps` that says so.
    """

    def __init__(self, **tensors: Tensor) -> None:
        self.step, self.of = 0, 0
        self.tensors = tensors

    def state_dict(self) -> dict[str, Any]:
        """The step and the tensors."""
        return {"step": self.step, **self.tensors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])
        for name, tensor in self.tensors.items():
            tensor.copy_(state[name])
