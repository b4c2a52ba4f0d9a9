"""Muon: momentum whose matrices are made orthogonal before they are applied (K. Jordan, 2024).

Written out here, though newer torch has one, so that every version walks the same path.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tomoinr.builtin.optimiser import Memory, Moved, Optimiser

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the quintic that sends singular values near one
NEWTON_SCHULZ_STEPS = 5


class Muon(Optimiser):
    """Nesterov momentum, orthogonalised; for weight matrices only."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float, momentum: float) -> None:
        super().__init__(parameters, rate)
        self._momentum = momentum

    def move(self, some: list[Moved]) -> None:
        """Each matrix by the rate, in units of its root-mean-square entry."""
        for alike in _by_shape(some):
            rows, columns = alike[0][0].shape
            scale = max(1.0, rows / columns) ** 0.5
            ahead = torch.stack([self._ahead(slope, memory) for _, slope, memory in alike])
            for (parameter, *_), direction in zip(alike, orthogonal(ahead), strict=True):
                parameter.add_(direction, alpha=-self.rate * scale)

    def _ahead(self, slope: Tensor, memory: Memory) -> Tensor:
        """Where the momentum leads from here."""
        buffer = memory.setdefault("momentum", torch.zeros_like(slope))
        buffer.lerp_(slope, 1 - self._momentum)
        ahead: Tensor = slope.lerp(buffer, self._momentum)
        return ahead


def _by_shape(some: Iterable[Moved]) -> Iterable[list[Moved]]:
    """Equal sizes together: one product serves them all."""
    shapes: dict[torch.Size, list[Moved]] = {}
    for one in some:
        shapes.setdefault(one[0].shape, []).append(one)
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
