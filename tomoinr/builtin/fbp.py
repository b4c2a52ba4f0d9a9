"""Weighted back-projection: the direct answer, in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.linear import LinearMap
from tomoinr.builtin.ramp import filter_rows, ramp
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team


class Fbp(Solver):
    """Ramp-filtered images, back-projected, each weighted by the angle it stands for."""

    name = "fbp"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """Options of weighted back-projection."""

        window: Literal["none", "hann", "cosine"] = option(
            "hann", "fades the ramp at high frequency"
        )
        cutoff: float = option(
            1.0, "where the window ends, as a fraction of Nyquist", low=0.01, high=1
        )
        positive: bool = option(False, "no density below zero")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Nothing to prepare."""
        state = Iterate()
        state.of = 1
        return state

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """The whole reconstruction; the loss is its mean squared residual."""
        matrix = LinearMap(problem, team)
        filtered = filter_rows(matrix.data, self.response(problem.series.shape[2]))
        weights = angular_weights(problem.poses().angles().tilt).to(filtered)
        voxels = matrix.adjoint(filtered * weights[:, None, None])
        # Aᵀ spreads each value over the voxel's footprint, whose sum is the spacing; the ramp is
        # in cycles per pixel: both lengths come off.
        voxels = voxels / problem.grid.spacing / problem.series.pixel_size
        voxels = voxels.clamp_(min=0) if self.options.positive else voxels
        matrix.slab.fill_(voxels)
        matrix.parameter.data = voxels
        state.step += 1
        loss = matrix.mean_square(matrix.residual(voxels))
        matrix.publish()
        return loss

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the one step."""
        return state.step >= 1

    def response(self, width: int) -> Tensor:
        """The ramp under its window."""
        f = torch.linspace(0, 1, width + 1) / self.options.cutoff
        shape = {
            "none": torch.ones_like(f),
            "hann": 0.5 + 0.5 * torch.cos(torch.pi * f),
            "cosine": torch.cos(torch.pi / 2 * f),
        }[self.options.window]
        return ramp(width) * torch.where(f <= 1, shape, 0)


def angular_weights(degrees: Tensor) -> Tensor:
    """The angle (radians) each view stands for: half the way to its neighbours, modulo 180°.

    A missing wedge belongs to nobody, so the outermost views count like their inner side;
    repeated angles share.
    """
    order = torch.argsort(degrees % 180)
    around = (degrees % 180)[order]
    gaps = torch.cat((around[1:], around[:1] + 180)) - around
    distinct = gaps[gaps > 1e-3]
    gaps = gaps.clamp(max=2 * float(distinct.median()))
    half = torch.deg2rad((gaps + gaps.roll(1)) / 2)
    weights = torch.empty_like(half)
    weights[order] = half
    return weights
