"""ASTRA's own filtered back-projection as a solver: the direct answer, in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.state import Iterate
from tomoinr.team import Team
from tomoinr_astra.baseline import PARTNERS, Method, advance
from tomoinr_astra.bench import Kernel

Filter = Literal["ram-lak", "shepp-logan", "cosine", "hamming", "hann"]


class AstraFbp(Solver):
    """Filtered back-projection, slice by slice on the CPU."""

    name = "astra-fbp"
    needs = frozenset({Ability.BLOCKS})
    partners = PARTNERS

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's filtered back-projection."""

        filter: Filter = option("ram-lak", "the ramp itself (ram-lak), or how it fades")
        projector: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options) -> None:
        self.options = options
        chosen = {"FilterType": options.filter}
        self._method = Method("FBP", options.projector, self.name, chosen)

    def init(self, problem: Problem, team: Team) -> Iterate:
        """Refuse what slices, or a filter along rows, cannot do."""
        self._method.check(problem)
        return Iterate()

    def step(self, problem: Problem, state: Iterate, team: Team) -> Tensor:  # type: ignore[override]
        """The whole reconstruction; the loss is its mean squared residual."""
        state.step = 1
        tilts = problem.poses().angles().tilt
        # ASTRA takes the views to be spread evenly over half a turn.
        weights = _stands_for(tilts) * len(tilts) / torch.pi
        return advance(problem, self._method, 1, team, weights)

    def done(self, problem: Problem, state: Iterate) -> bool:  # type: ignore[override]
        """After the one step."""
        return state.step >= 1


def _stands_for(degrees: Tensor) -> Tensor:
    """The angle (radians) that each view stands for: half the way to its neighbours.

    The outermost count like their inner side; more than half a turn is shared out.
    """
    radians = torch.deg2rad(degrees.double()).cpu().numpy()
    order = radians.argsort(kind="stable")
    weights = np.empty_like(radians)
    weights[order] = np.gradient(radians[order])
    return torch.from_numpy(weights * min(1.0, np.pi / weights.sum()))
