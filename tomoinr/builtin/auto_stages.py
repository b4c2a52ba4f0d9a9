"""The stages of the automatic solver: each a problem, a solver, and what the last one left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.joint_state import JointState
from tomoinr.builtin.noise import weigh
from tomoinr.builtin.priors import TotalVariation
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TvState
from tomoinr.interfaces import Component, Problem, Projector
from tomoinr.options import NoOptions
from tomoinr.team import Team

if TYPE_CHECKING:
    from tomoinr.builtin.auto import Auto


class Stage(ABC):
    """Some steps of one solver on one problem."""

    steps: int
    problem: Problem

    @abstractmethod
    def enter(self, before: Stage | None) -> None:
        """Set out from what the stage before has found."""

    @abstractmethod
    def step(self) -> Tensor:
        """One step; its loss."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on in the middle."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class FindPoses(Stage):
    """The joint solver on the images' own lattice."""

    def __init__(self, problem: Problem, team: Team, steps: int, capture: float) -> None:
        smooth = TotalVariation(TotalVariation.Options())
        self.problem = replace(problem, priors=(smooth,))
        self.steps, self._team = steps, team
        # From a good start, a blurred or half-formed volume only leads the turns astray.
        gentle = Joint.Options(steps=steps, blur=0, pose_start=0.5, pose_rate=0.02, half_ramp=0)
        self._solver = Joint(Joint.Options(steps=steps, blur=capture) if capture else gentle)
        self._state: JointState

    def enter(self, before: Stage | None) -> None:
        """A joint run of its own."""
        self._state = self._solver.init(self.problem, self._team)

    def step(self) -> Tensor:
        """One batch."""
        return self._solver.step(self.problem, self._state, self._team)

    def state_dict(self) -> dict[str, Any]:
        """The joint solver's."""
        return self._state.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._state.load_state_dict(state)


class Sharpen(Stage):
    """Total variation with pixels weighed by the noise that the stage before has left."""

    def __init__(
        self, problem: Problem, team: Team, steps: int, finer: int, caution: float
    ) -> None:
        self._coarse, self._team, self._finer, self._caution = problem, team, finer, caution
        self.steps = steps
        self._solver = Tv(Tv.Options(steps=steps))
        self._state: TvState

    def enter(self, before: Stage | None) -> None:
        """Poses stay; noise is measured; on the same lattice the duals go on, too."""
        if isinstance(before, Sharpen) and before._finer == self._finer:
            self.problem, self._state = before.problem, before._state
            self._state.reweigh(*self._weights(explained=True))
            return
        self.problem = self._on_lattice()
        explained = before is not None
        if explained:
            with torch.no_grad():
                self._parameter().copy_(_spread(self._coarse.volume, self._finer))
        weight, weights = self._weights(explained)
        self._state = TvState(self.problem, self._team, weight, weights)

    def step(self) -> Tensor:
        """One primal-dual iteration; the loss in units of the joint solver's."""
        unit = float(self.problem.series.images.std()) / self.problem.series.pixel_size
        return self._solver.step(self.problem, self._state, self._team) / (unit or 1.0) ** 2

    def state_dict(self) -> dict[str, Any]:
        """The iterate and its duals."""
        return self._state.state_dict() | {"values": self._parameter().data}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._state.load_state_dict(state)
        self._state.map.parameter.data = state["values"]

    def _parameter(self) -> torch.nn.Parameter:
        (parameter,) = self.problem.volume.parameters()
        return parameter

    def _on_lattice(self) -> Problem:
        """The problem with known poses, on this stage's lattice."""
        p = self._coarse
        grid = p.grid.finer(self._finer)
        poses = Fixed(NoOptions(), p.poses().to(self._team.device), grid).to(self._team.device)
        if self._finer == 1:
            return replace(p, poses=poses)
        make_volume, make_projector = _class(p.volume), _class(p.projector)
        volume = make_volume(p.volume.options, grid, p.volume.channels).to(self._team.device)
        projector = make_projector(p.projector.options, grid)
        return replace(p, grid=grid, volume=volume, poses=poses, projector=projector)

    def _weights(self, explained: bool) -> tuple[Tensor, Tensor]:
        """TV's weight for each channel, and the weights of pixels."""
        series = self.problem.series
        with torch.no_grad():
            model = self.problem.predict() if explained else None
        noise = weigh(series.images, model)
        # A voxel that every view sees is known to within error / √views, in units of density.
        return self._caution * noise.error / series.pixel_size / series.shape[
            0
        ] ** 0.5, noise.weights


def plan(problem: Problem, team: Team, options: Auto.Options) -> list[Stage]:
    """Poses where they are free, a preview, then rounds on the finer lattice."""
    problem = replace(problem, projector=_sharper(problem.projector))
    free = any(p.requires_grad for p in problem.poses.parameters())
    lengths = [options.pose_steps if free else 0, options.preview // 2, options.preview // 2]
    lengths = _fitted(lengths + [options.round_steps] * options.rounds, options.steps)
    finer = [1, 1, 1] + [options.finer] * options.rounds
    stages: list[Stage] = []
    for number, (steps, lattice) in enumerate(zip(lengths, finer, strict=True)):
        if number == 0 and steps:
            stages.append(FindPoses(problem, team, steps, options.capture))
        elif steps:
            stages.append(Sharpen(problem, team, steps, lattice, options.caution))
    return stages


def _fitted(lengths: list[int], steps: int) -> list[int]:
    """Stages shortened or lengthened in proportion to `steps` in all; 0: as they are."""
    if steps == 0:
        return lengths
    ends = [round(steps * sum(lengths[: i + 1]) / sum(lengths)) for i in range(len(lengths))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def final(problem: Problem, last: Stage) -> None:
    """The result into the problem's own volume: means of the finer voxels."""
    (fine,), (own,) = last.problem.volume.parameters(), problem.volume.parameters()
    own.copy_(functional.avg_pool3d(fine, fine.shape[1] // own.shape[1]))


def _spread(volume: torch.nn.Module, finer: int) -> Tensor:
    """A volume's voxels, each divided into finer ones of the same density."""
    (parameter,) = volume.parameters()
    values: Tensor = parameter
    for dim in (1, 2, 3):
        values = values.repeat_interleave(finer, dim)
    return values


def _sharper(projector: Projector) -> Projector:
    """The same projector with its sharpest interpolation, where it has a choice."""
    if any(field.name == "warp" for field in fields(projector.options)):
        sharper: Projector = _class(projector)(
            replace(projector.options, warp="bicubic"), projector.grid
        )
        return sharper
    return projector


def _class(part: Component) -> Any:
    """A part's class, to make another like it."""
    return type(part)
