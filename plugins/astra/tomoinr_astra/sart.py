"""ASTRA's own SART as a solver: one view after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.sampling import Draw
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_astra.baseline import PARTNERS, Method, advance, floor
from tomoinr_astra.bench import Kernel


class AstraSart(Solver):
    """SART, slice by slice on the CPU, from the voxels as they are."""

    name = "astra-sart"
    needs = frozenset({Ability.BLOCKS})
    partners = PARTNERS

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's SART."""

        steps: int = option(10, "sweeps over all views", low=1)
        every: int = option(1, "sweeps between two reports of the loss", low=1)
        relaxation: float = option(0.3, "the share of each update that is made", low=0, high=2)
        order: Literal["random", "recorded"] = option(
            "random", "of the views: drawn from the seed, or as they were recorded"
        )
        positive: bool = option(True, "no density below zero")
        projector: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Refuse what slices cannot do; the iterate is the volume's own parameter."""
        self._method(problem).check(problem)
        return Iterate()

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """`every` sweeps; the loss is the mean squared residual after them."""
        count = min(self.options.every, self.options.steps - state.step)
        state.step += count
        # ASTRA counts views.
        return advance(problem, self._method(problem), count * problem.series.shape[0], team)

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the sweeps asked for."""
        return bool(state.step >= self.options.steps)

    def _method(self, problem: Problem) -> Method:
        views = problem.series.shape[0]
        drawn = Draw(problem.seed, 0).generator(0).permutation(views).tolist()
        chosen = drawn if self.options.order == "random" else list(range(views))
        option = {
            "Relaxation": self.options.relaxation,
            "ProjectionOrder": "custom",
            "ProjectionOrderList": chosen,
            **floor(self.options.positive),
        }
        return Method("SART", self.options.projector, self.name, option)
