"""What total variation keeps between iterations, and the steps that make it converge."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.linear import LinearMap, inverse
from tomoinr.interfaces import Problem
from tomoinr.state import Iterate
from tomoinr.team import Team

# Tried on phantoms at many weights.
RAMP_STEP = 40.0
EDGE_SHARE = 1.0
POWER_STEPS = 12
BALANCE = 0.2


class TvState(Iterate):
    """Primal and dual variables; `weights` of pixels (channels, views, rows, columns) or none.

    `weight` of the edges is one number, or one a channel.

    All pixels alike: the dual step is a ramp along detector rows, which undoes most of the blur
    of AᵀA. Weighed pixels: diagonal steps (Pock and Chambolle, 2011), for which the weights need
    not commute with anything.
    """

    def __init__(
        self,
        problem: Problem,
        team: Team,
        weight: float | Tensor,
        weights: Tensor | None = None,
    ) -> None:
        pixel, (tilts, _, columns) = problem.series.pixel_size, problem.series.shape
        self.map = LinearMap(problem, team, pixel)
        start = self.map.parameter.data
        super().__init__(
            point=start.clone(),
            data=torch.zeros_like(self.map.data),
            edges=start.new_zeros((3, *start.shape)),
        )
        # Lengths in pixels: the data's curvature at a point is then one per tilt, and a weight
        # is a density, whatever the number of tilts and the sizes of pixels and voxels.
        self._unit = tilts * (problem.grid.spacing / pixel) ** 2
        self.strength = self._strength(weight)
        self.weights = None if weights is None else self._mine(weights)
        frequency = torch.fft.rfftfreq(columns, device=start.device) + 0.5 / columns
        self._ramp = RAMP_STEP * frequency / tilts
        self.primal_step: Tensor | float
        if self.weights is None:
            size = self._size(start)
            self.edge_step = EDGE_SHARE * size / 12
            self.primal_step = 0.99 / (size * (1 + EDGE_SHARE))
        else:
            seen = self.map.adjoint(torch.ones_like(self.map.data))
            self._rows = BALANCE * inverse(self.map.forward(torch.ones_like(start)))
            self.edge_step = BALANCE * float(seen.mean()) / 24
            self.primal_step = 1 / (BALANCE * (seen + seen.mean() / 2))
        self.map.parameter.data = start

    def reweigh(self, weight: float | Tensor, weights: Tensor) -> None:
        """Go on with another weight and other weights of pixels; the duals keep their sense."""
        assert self.weights is not None
        strength, mine = self._strength(weight), self._mine(weights)
        self.tensors["edges"].mul_(strength / self.strength)
        self.tensors["data"].mul_(mine / self.weights)
        self.strength, self.weights = strength, mine

    def dual(self, data: Tensor, residual: Tensor) -> Tensor:
        """The proximal step of the data term's dual variable."""
        if self.weights is not None:
            return (data + self._rows * residual) * (self.weights / (self.weights + self._rows))
        spectrum = torch.fft.rfft(data) + self._ramp * torch.fft.rfft(residual)
        # Periodic, so that it inverts exactly; a preconditioner need not be more.
        return torch.fft.irfft(spectrum / (1 + self._ramp), n=data.shape[-1])

    def state_dict(self) -> dict[str, Any]:
        """The variables, and the weights they belong to."""
        return super().state_dict() | {"strength": self.strength, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.strength, self.weights = state["strength"], state["weights"]

    def _strength(self, weight: float | Tensor) -> Tensor:
        weights = torch.as_tensor(weight, device=self.map.data.device).clamp(min=1e-9)
        return weights.reshape(-1, 1, 1, 1) * self._unit

    def _mine(self, weights: Tensor) -> Tensor:
        p = self.map.pixels
        return weights[:, p.view, p.row, p.column]

    def _size(self, start: Tensor) -> float:
        """‖Aᵀ Σ A‖, by the power method; a little above, to be safe."""
        x = torch.rand(start.shape, generator=torch.Generator().manual_seed(0)).to(start)
        size = 0.0
        for _ in range(POWER_STEPS):
            spectrum = torch.fft.rfft(self.map.forward(x / x.norm())) * self._ramp
            x = self.map.adjoint(torch.fft.irfft(spectrum, n=self.map.data.shape[-1]))
            size = float(x.norm())
        return 1.05 * size


def gradient(voxels: Tensor) -> Tensor:
    """Forward differences along y, z, x; zero at the far faces: (3, channels, y, z, x)."""
    out = voxels.new_zeros((3, *voxels.shape))
    torch.sub(voxels[:, 1:], voxels[:, :-1], out=out[0, :, :-1])
    torch.sub(voxels[:, :, 1:], voxels[:, :, :-1], out=out[1, :, :, :-1])
    torch.sub(voxels[..., 1:], voxels[..., :-1], out=out[2, ..., :-1])
    return out


def divergence(edges: Tensor) -> Tensor:
    """Minus the transpose of `gradient`: (channels, y, z, x)."""
    out = edges.new_zeros(edges.shape[1:])
    for axis, dim in enumerate((1, 2, 3)):
        inner = edges[axis].narrow(dim, 0, edges.shape[dim + 1] - 1)
        out.narrow(dim, 0, inner.shape[dim]).add_(inner)
        out.narrow(dim, 1, inner.shape[dim]).sub_(inner)
    return out


def length(edges: Tensor) -> Tensor:
    """|∇| at every voxel; written out, since torch's norm over a leading axis is slow on a CPU."""
    return edges.square().sum(0).sqrt_()
