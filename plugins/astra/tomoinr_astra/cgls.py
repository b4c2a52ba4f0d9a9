"""ASTRA's own CGLS as a solver: least squares by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_astra.baseline import PARTNERS, Method, advance
from tomoinr_astra.bench import Kernel


class AstraCgls(Solver):
    """CGLS, slice by slice on the CPU, from the voxels as they are.

    All iterations are one step: ASTRA keeps the directions of a slice only while it works on it.
    """

    name = "astra-cgls"
    needs = frozenset({Ability.BLOCKS})
    partners = PARTNERS

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's CGLS."""

        steps: int = option(15, "iterations; more sharpen, and soon fit the noise", low=1)
        projector: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options) -> None:
        self.options = options
        self._method = Method("CGLS", options.projector, self.name)

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Refuse what slices cannot do."""
        self._method.check(problem)
        return Iterate()

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """The whole reconstruction; the loss is its mean squared residual."""
        state.step = self.options.steps
        return advance(problem, self._method, self.options.steps, team)

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the one step."""
        return bool(state.step >= self.options.steps)
