"""Poses that are far off: learned together with the volume, on the images' own lattice."""

from __future__ import annotations

import math
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


def halvings(columns: int) -> int:
    """How often images so wide are halved for the search: as often as leaves them wide enough."""
    return max(0, int(math.log2(columns / WIDE)))


def coarsened(problem: Problem, team: Team) -> Problem:
    """Binned images, with a volume of their lattice.

    What is left to do then is for Gauss–Newton steps, which see all pixels.
    """
    for _ in range(halvings(problem.series.shape[2])):
        half = halved(problem)
        problem = moved_to(half, half.grid, team.device)
    return problem


class FindPoses(Stage):
    """The joint solver on images that are alike, where a first volume shows that it is needed."""

    name = "search for poses"

    def __init__(
        self, problem: Problem, team: Team, steps: int, capture: float, near: float = NEAR
    ) -> None:
        self._own, self.steps, self._team = problem, steps, team
        self._capture, self._near = capture, near
        self._solver: Joint
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
        self._set_up()
        if self._coarse:
            self._own.projector.forget()  # its matrices are far larger
            (start,) = self.problem.volume.parameters()
            rendered(self._own.volume, self.problem.grid, start.data)
        self._state = self._solver.init(self.problem, self._team)

    def _set_up(self) -> None:
        """The problem of this search: it takes up memory as long as that goes on."""
        own, smooth = self._own, TotalVariation(TotalVariation.Options())
        some = alike(own.series.images).nonzero()[:, 0]
        every = len(some) == len(own.series.angles)
        whole = replace(
            own,
            series=own.series if every else own.series.select(some.tolist()),
            poses=Chosen(own.poses, some),
            priors=(smooth,),
        )
        self.problem = coarsened(whole, self._team)
        pixels = self.problem.series.pixel_size / own.series.pixel_size
        self._solver = Joint(Joint.Options(steps=max(self.steps, 1), blur=self._capture / pixels))

    def voxels(self) -> Tensor:
        """On the lattice of images that were not binned: in the volume that is to be found."""
        (own,) = self._own.volume.parameters()
        if self._coarse:
            rendered(self.problem.volume, self._own.grid, own.data)
        return own.detach()

    def leave(self, after: Stage) -> None:
        """Momenta and gradients; images that were binned."""
        self.problem.modules().zero_grad()
        del self._state, self._solver, self.problem

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
        self._set_up()
        self._state = self._solver.init(self.problem, self._team)
        self.problem.volume.load_state_dict(state["volume"])
        self._state.load_state_dict(state["joint"])
