"""Muon: momentum whose matrices are made orthogonal before they are applied (K. Jordan, 2024).

Written out here, though newer torch has one, so that every version walks the same path.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the quintic that sends singular values near one
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; for weight matrices only."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix by `lr`, in units of its root-mean-square entry."""
        for group in self.param_groups:
            for alike in _by_shape(group["params"]):
                rows, columns = alike[0].shape
                scale = max(1.0, rows / columns) ** 0.5
                ahead = torch.stack([self._ahead(p, group["momentum"]) for p in alike])
                for parameter, direction in zip(alike, orthogonal(ahead), strict=True):
                    parameter.add_(direction, alpha=-group["lr"] * scale)

    def _ahead(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """Where the momentum leads from here."""
        assert parameter.grad is not None
        buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        buffer.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(buffer, momentum)


def _by_shape(parameters: Iterable[nn.Parameter]) -> Iterable[list[nn.Parameter]]:
    """Those with a gradient, equal sizes together: one product serves them all."""
    shapes: dict[torch.Size, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            shapes.setdefault(parameter.shape, []).append(parameter)
    return shapes.values()


def orthogonal(matrices: Tensor) -> Tensor:
    """About U Vᵀ of each matrix's singular value decomposition, without computing it."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
