"""One of several channels by itself, through the automatic solver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.find_poses import Chosen
from tomoinr.builtin.auto.options import AutoOptions
from tomoinr.builtin.auto.sharpen import Others, Sharpen
from tomoinr.builtin.auto.solver import Auto, AutoState
from tomoinr.builtin.fused.leading import recorded, seen_by
from tomoinr.builtin.fused.signals import alone
from tomoinr.builtin.pose_steps import Evidence
from tomoinr.geometry import Poses
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.team import Team


class Followed(PoseModel):
    """Poses that another run moves, but for those of some images (`own`, a mask)."""

    name = "followed"

    def __init__(self, leader: PoseModel, own: Tensor) -> None:
        super().__init__()
        self.options, self._own = leader.options, own
        self._poses: Callable[[], Poses] = leader.forward
        if bool(own.any()):
            self.leader = leader  # as a module, whose parameters are learned

    def forward(self) -> Poses:
        """As they are now, on the graph of those that are learned here."""
        poses, own = self._poses(), self._own[:, None]
        return Poses(
            torch.where(own[..., None], poses.rotation, poses.rotation.detach()),
            torch.where(own, poses.shift, poses.shift.detach()),
        )


class Single:
    """A run on one channel of a problem.

    It moves poses if it is told what `others` say of them; else it only searches for those of
    images that no channel `before` it has.
    """

    def __init__(
        self,
        problem: Problem,
        channel: int,
        options: AutoOptions,
        team: Team,
        before: Sequence[int] = (),
        others: Others | None = None,
    ) -> None:
        self.channel, self._team = channel, team
        self.weight = recorded(problem.series)[channel].weight
        device, views = problem.series.images.device, problem.series.views_of(channel)
        self._free = Chosen(problem.poses, torch.tensor(views, device=device))
        own = ~seen_by(problem.series, before)[views].to(device)
        poses = Followed(self._free, own) if others is None else self._free
        self.problem = replace(alone(problem, channel), poses=poses, priors=())
        self.solver = Auto(options, others)
        self.state: AutoState = self.solver.init(self.problem, team)

    @property
    def done(self) -> bool:
        """Whether the automatic solver has come to its end."""
        return self.solver.done(self.problem, self.state)

    def step(self) -> Tensor:
        """One of its steps."""
        return self.solver.step(self.problem, self.state, self._team)

    def evidence(self, weight: float) -> Iterator[Evidence]:
        """What its images say of poses, once there is a volume, times a weight."""
        if isinstance(self.state.entered, Sharpen):
            found = self.state.entered.evidence(self._free)
            yield found._replace(weights=found.weights * weight)

    def state_dict(self) -> dict[str, Any]:
        """What the automatic solver needs, and the volume it fills, whole by then."""
        auto = self.state.state_dict()
        return {"auto": auto, "volume": self.problem.volume.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.problem.volume.load_state_dict(state["volume"])
        self.state.load_state_dict(state["auto"])
