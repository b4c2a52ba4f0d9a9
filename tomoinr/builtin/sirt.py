"""SIRT: the simultaneous iterative reconstruction technique, on any LINEAR pair."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.builtin.blocks import portions
from tomoinr.builtin.linear import LinearMap, inverse_
from tomoinr.builtin.memory import LARGE
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team

ROOM = 2.0**6  # in 16 bits, inverse sums fit in, though the largest be a million times the smallest


class Inverse(NamedTuple):
    """1 / sums, in a unit; zero where nothing was summed."""

    values: Tensor
    unit: float

    @classmethod
    def of(cls, sums: Tensor, along: int, short: bool) -> Inverse:
        """Of sums that are used up; `along`: the dimension of y; `short`: 16 bits will do.

        Where images are in place all slices are alike: kept once, and in full, to be ASTRA's own.
        Others may be rounded to 5e-4 of a step, which leads to the same place.
        """
        # A power of two, so that how numbers are rounded does not depend on it.
        unit = ROOM / 2.0 ** frexp(float(sums.max()))[1]
        values = inverse_(sums)
        one = values.narrow(along, 0, 1)
        if torch.equal(values, one.expand_as(values)):
            return cls(one.clone().expand_as(values), 1.0)
        return cls(values.div_(unit).half(), unit) if short else cls(values, 1.0)


class SirtState(Iterate):
    """The matrix, inverse row sums, and inverse column sums of each part of its adjoint.

    The iterate is the parameter of the slab.
    """

    def __init__(self, problem: Problem, team: Team) -> None:
        super().__init__()
        self.map = LinearMap(problem, team)
        voxels, short = self.map.parameter.data, self.map.voxels >= LARGE
        rows = self.map.forward(voxels.new_ones(()).expand_as(voxels))
        self.rows = Inverse.of(rows, 2, short)
        del rows
        backs = self.map.adjoints(self.map.ones())
        self.columns = [Inverse.of(sums, 1, short) for _, sums in backs]

    def state_dict(self) -> dict[str, Any]:
        """The step; the iterate goes where it is looked for, into the volume."""
        self.map.publish()
        return super().state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        self.map.take()


class Sirt(Solver):
    """x ← x + λ C Aᵀ R (b - A x), with C and R the inverse column and row sums."""

    name = "sirt"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """Options of SIRT."""

        steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
        relaxation: float = option(1.0, "the factor λ of each update", low=0, high=2)
        positive: bool = option(True, "no density below zero")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> SirtState:
        """Row and column sums."""
        return SirtState(problem, team)

    def step(self, problem: Problem, state: SirtState, team: Team) -> Tensor:  # type: ignore[override]
        """One iteration; the loss is the mean squared residual before it."""
        state.map.let_go()
        voxels = state.map.parameter.data
        residual = state.map.residual(voxels)
        loss = state.map.mean_square(residual)
        for images, rows in zip(residual.unbind(1), state.rows.values.unbind(1), strict=True):
            images.mul_(rows)  # one after the other, since rows become longer numbers for it
        columns = iter(state.columns)
        for part, back in state.map.adjoints(residual):
            self._move(voxels[:, part], back, next(columns), state.rows.unit)
            del back  # or it is there while the next is made
        state.map.slab.fill_(voxels)
        state.step += 1
        if self.done(problem, state):
            state.map.publish()
        return loss

    def _move(self, voxels: Tensor, back: Tensor, columns: Inverse, unit: float) -> None:
        """Some slices, by what their residuals say of them (in a unit); that is used up."""
        for some in portions(back):
            now, step = voxels[:, some], back[:, some].mul_(columns.values[:, some])
            now.sub_(step, alpha=self.options.relaxation * unit * columns.unit)
            if self.options.positive:
                now.clamp_(min=0)

    def done(self, problem: Problem, state: SirtState) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return state.step >= self.options.steps
