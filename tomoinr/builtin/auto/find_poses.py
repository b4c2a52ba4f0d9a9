"""Poses that are far off: learned together with the volume, on the images' own lattice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from tomoinr.builtin.auto.sharpen import Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.joint_state import JointState
from tomoinr.builtin.noise import alike
from tomoinr.builtin.priors import TotalVariation
from tomoinr.builtin.relocated import moved_to, rendered
from tomoinr.builtin.scales import halved
from tomoinr.geometry import Poses
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.team import Team

WIDE = 96  # pixels across images: so many suffice
NEAR = 0.25  # pixels: poses that one Gauss–Newton step would move less need no search


class Chosen(PoseModel):
    """Some of the poses of another model."""

    name = "chosen"

    def __init__(self, model: PoseModel, some: Tensor) -> None:
        super().__init__()
        self.options, self._some, self.model = model.options, some, model

    def forward(self) -> Poses:
        """Those poses."""
        return self.model().some(self._some)


def coarsened(problem: Problem, team: Team) -> Problem:
    """Images binned while they stay wide enough to find poses by, with a volume of their lattice.

    What is left to do then is for Gauss–Newton steps, which see all pixels.
    """
    while problem.series.shape[2] >= 2 * WIDE:
        half = halved(problem)
        problem = moved_to(half, half.grid, team.device)
    return problem


class FindPoses(Stage):
    """The joint solver on images that are alike, where a first volume shows that it is needed."""

    name = "search for poses"

    def __init__(
        self, problem: Problem, team: Team, steps: int, capture: float, near: float = NEAR
    ) -> None:
        smooth = TotalVariation(TotalVariation.Options())
        some = alike(problem.series.images).nonzero()[:, 0]
        whole = replace(
            problem,
            series=problem.series.select(some.tolist()),
            poses=Chosen(problem.poses, some),
            priors=(smooth,),
        )
        self._own, self.problem = problem, coarsened(whole, team)
        pixels = self.problem.series.pixel_size / problem.series.pixel_size
        self.steps, self._team, self._near = steps, team, near
        self._solver = Joint(Joint.Options(steps=max(steps, 1), blur=capture / pixels))
        self._state: JointState

    @property
    def motion(self) -> Tensor | None:
        """By the last batch."""
        return self._state.moved

    def enter(self, before: Stage | None) -> None:
        """A joint run of its own, or none."""
        if isinstance(before, Sharpen):
            found = before.propose(self._own.poses)
            self.moved = found.motion
            if found.motion < self._near:
                self.steps = 0
                return
        if before:
            before.leave(self)
        if self._coarse:
            (start,) = self.problem.volume.parameters()
            start.data.copy_(rendered(self._own.volume, self.problem.grid))
        self._state = self._solver.init(self.problem, self._team)

    def voxels(self) -> Tensor:
        """On the lattice of images that were not binned."""
        return rendered(self.problem.volume, self._own.grid)

    def leave(self, after: Stage) -> None:
        """Momenta, plans and gradients."""
        del self._state
        self.problem.modules().zero_grad()
        if self._coarse:
            self.problem.projector.forget()

    @property
    def _coarse(self) -> bool:
        return self.problem.grid != self._own.grid

    def step(self) -> Tensor:
        """One batch."""
        return self._solver.step(self.problem, self._state, self._team)

    def state_dict(self) -> dict[str, Any]:
        """The volume, which may be in a larger box than the one asked for, and the solver's."""
        return {"volume": self.problem.volume.state_dict(), "joint": self._state.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._state = self._solver.init(self.problem, self._team)
        self.problem.volume.load_state_dict(state["volume"])
        self._state.load_state_dict(state["joint"])
