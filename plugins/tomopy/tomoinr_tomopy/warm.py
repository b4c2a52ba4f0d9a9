"""A solver that begins with a volume: `init_recon`."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.interfaces import Problem, Solver, State
from tomoinr.slicewise import raster
from tomoinr.team import Team


class Warm(Solver):
    """Another solver, from voxels (y, z, x) in the units of the data."""

    def __init__(self, solver: Solver, start: Tensor) -> None:
        self._solver, self._start = solver, start
        self.name, self.options = solver.name, solver.options  # type: ignore[misc]
        self.abilities, self.needs = solver.abilities, solver.needs
        self.partners = solver.partners  # type: ignore[misc]

    def init(self, problem: Problem, team: Team) -> State:
        """The volume is there before the solver looks at it."""
        with torch.no_grad():
            raster(problem, "a start from init_recon").copy_(self._start / problem.scale)
        return self._solver.init(problem, team)

    def step(self, problem: Problem, state: State, team: Team) -> Tensor:
        """The solver's own."""
        return self._solver.step(problem, state, team)

    def done(self, problem: Problem, state: State) -> bool:
        """When the solver says so."""
        return self._solver.done(problem, state)
