"""ASTRA's own SIRT as a solver: the baseline that others are measured against."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_astra.baseline import PARTNERS, Method, advance, floor
from tomoinr_astra.bench import Kernel


class AstraSirt(Solver):
    """SIRT, slice by slice on the CPU, from the voxels as they are."""

    name = "astra-sirt"
    needs = frozenset({Ability.BLOCKS})
    partners = PARTNERS

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's SIRT."""

        steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
        every: int = option(10, "iterations between two reports of the loss", low=1)
        positive: bool = option(True, "no density below zero")
        projector: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options) -> None:
        self.options = options
        self._method = Method("SIRT", options.projector, self.name, floor(options.positive))

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Refuse what slices cannot do; the iterate is the volume's own parameter."""
        self._method.check(problem)
        return Iterate()

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """`every` iterations; the loss is the mean squared residual after them."""
        count = min(self.options.every, self.options.steps - state.step)
        state.step += count
        return advance(problem, self._method, count, team)

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the iterations asked for."""
        return bool(state.step >= self.options.steps)
