"""Total variation with positivity, to convergence: the bar for everything that learns.

Minimises  ½‖Ax - b‖² + λ‖∇x‖₁,₂  over x ≥ 0  by the primal-dual method of Chambolle and Pock. The
data's dual step is preconditioned by a ramp along detector rows, which undoes most of the blur of
AᵀA and so saves most of the iterations; the minimum is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.builtin.linear import LinearMap
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team

# Step sizes tried on phantoms at many weights: both terms converge within some 100 iterations.
DATA_STEP = 40.0
EDGE_SHARE = 1.0
POWER_STEPS = 12
NOISE_FACTOR = 0.35  # the automatic weight, in standard errors of a voxel seen by every view


class TvState(Iterate):
    """Primal and dual variables, and the step sizes that make them converge."""

    def __init__(
        self, problem: Problem, team: Team, weight: float, factor: Tensor | float = 1.0
    ) -> None:
        pixel = problem.series.pixel_size
        self.map = LinearMap(problem, team, factor / pixel)
        start = self.map.parameter.data
        super().__init__(
            data=torch.zeros_like(self.map.data),
            edges=start.new_zeros((3, *start.shape)),
            ahead=start.clone(),
        )
        # Lengths in pixels: the data's curvature at a point is then one per tilt, and `weight`
        # is a density, whatever the number of tilts and the sizes of pixels and voxels.
        tilts, _, columns = problem.series.shape
        self.strength = max(weight, 1e-9) * tilts * (problem.grid.spacing / pixel) ** 2
        frequency = torch.fft.rfftfreq(columns, device=start.device) + 0.5 / columns
        self.sigma = DATA_STEP * frequency / tilts
        size = self._size(start.shape)
        self.edge_step = EDGE_SHARE * size / 12
        self.primal_step = 0.99 / (size * (1 + EDGE_SHARE))

    def preconditioned(self, images: Tensor, response: Tensor) -> Tensor:
        """Rows times a response, periodic: exact to invert, and it need not be more."""
        return torch.fft.irfft(torch.fft.rfft(images) * response, n=images.shape[-1])

    def _size(self, shape: torch.Size) -> float:
        """‖Aᵀ Σ A‖, by the power method; a little above, to be safe."""
        start = self.map.parameter.data
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(start)
        size = 0.0
        for _ in range(POWER_STEPS):
            x = self.map.adjoint(self.preconditioned(self.map.forward(x / x.norm()), self.sigma))
            size = float(x.norm())
        self.map.parameter.data = start
        return 1.05 * size


class Tv(Solver):
    """The volume with the shortest edges among those that explain the data."""

    name = "tv"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """Options of total variation."""

        weight: float = option(
            0.03, "edges below about this density are flattened (1: typical)", low=0
        )
        steps: int = option(120, "iterations", low=1)
        positive: bool = option(True, "no density below zero")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> TvState:
        """Step sizes and zero dual variables."""
        return TvState(problem, team, self.options.weight)

    def step(self, problem: Problem, state: TvState, team: Team) -> Tensor:  # type: ignore[override]
        """One primal-dual iteration; the loss is the objective, per pixel."""
        at, edges, ahead = state.map, state.tensors["edges"], state.tensors["ahead"]
        voxels = at.parameter.data
        residual = at.forward(ahead) - at.data
        dual = state.tensors["data"]
        dual.copy_(
            state.preconditioned(dual, 1 / (1 + state.sigma))
            + state.preconditioned(residual, state.sigma / (1 + state.sigma))
        )
        edges.add_(gradient(ahead), alpha=state.edge_step)
        edges.div_((edges.norm(dim=0) / state.strength).clamp_(min=1))
        descent = at.adjoint(dual) - divergence(edges)
        moved = voxels - state.primal_step * descent
        at.parameter.data = moved.clamp_(min=0) if self.options.positive else moved
        state.tensors["ahead"] = 2 * moved - voxels
        state.step += 1
        edge_length = (
            state.strength * gradient(ahead).norm(dim=0).sum() / problem.series.images.numel()
        )
        return at.mean(residual.square()) / 2 + edge_length

    def done(self, problem: Problem, state: TvState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps


def gradient(voxels: Tensor) -> Tensor:
    """Forward differences along y, z, x; zero at the far faces: (3, channels, y, z, x)."""
    out = voxels.new_zeros((3, *voxels.shape))
    out[0, :, :-1] = voxels.diff(dim=1)
    out[1, :, :, :-1] = voxels.diff(dim=2)
    out[2, :, :, :, :-1] = voxels.diff(dim=3)
    return out


def divergence(edges: Tensor) -> Tensor:
    """Minus the transpose of `gradient`: (channels, y, z, x)."""
    out = edges.new_zeros(edges.shape[1:])
    for axis, dim in enumerate((1, 2, 3)):
        inner = edges[axis].narrow(dim, 0, edges.shape[dim + 1] - 1)
        out.narrow(dim, 0, inner.shape[dim]).add_(inner)
        out.narrow(dim, 1, inner.shape[dim]).sub_(inner)
    return out
