"""Total variation, again and again: each time with better poses and a better idea of the noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.balance import Balance, Brightness, brightness
from tomoinr.builtin.auto.box import spread
from tomoinr.builtin.auto.hold_out import USUAL, best_caution, strength
from tomoinr.builtin.auto.reserve import judged, reserve, set_free
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.memory import give_back
from tomoinr.builtin.noise import precision, weigh
from tomoinr.builtin.pose_steps import Evidence, Proposal, asked, step_by
from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.rows import predicted
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TvState
from tomoinr.data import TiltSeries
from tomoinr.doing import doing
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.options import NoOptions
from tomoinr.team import Team

FOUND = ("caution", "moved", "common", "longer", "uneven", "freed", "asked")
Others = Callable[[], Sequence[Evidence]]

LONGEST = 8.0  # times the common turn that a settled volume shows, while it goes one way


class Sharpen(Stage):
    """Total variation with pixels weighed by the noise that the stage before has left.

    `finer`: voxels along a pixel's edge; `caution`: as an option of the automatic solver, where 0
    leaves it to held-out images, on going to finer voxels. `asks`: whether poses need what their
    model holds in reserve is found out on entering. `others`: what else tells of poses; none:
    somebody else moves them.
    """

    common, longer = 0.0, 1.0  # the images' common turn, and how many times as long it was made
    uneven = 0.0  # standard deviation of the images' gains
    freed, asked = False, ""  # the poses' reserve, if it is learned; how many images wanted that

    def __init__(
        self,
        problem: Problem,
        team: Team,
        name: str,
        steps: int,
        finer: int,
        caution: float,
        balance: Balance,
        others: Others | None,
        asks: bool = False,
    ) -> None:
        self.name, self._asks = name, asks
        self._own, self._team, self.finer, self._balance = problem, team, finer, balance
        self._others = others
        self.steps, self.caution, self._given = steps, caution or USUAL, caution > 0
        self._unit = float(problem.series.images.std()) / problem.series.pixel_size or 1.0
        self.weights = torch.ones((), device=team.device)  # then: (channels, T, rows, columns)
        self._solver = Tv(Tv.Options(steps=steps))
        self._brightness: Brightness | None = None
        self._state: TvState

    def enter(self, before: Stage | None) -> None:
        """Poses move once and then stay; noise is measured; on the same lattice TV just goes on."""
        last = before if isinstance(before, Sharpen) else None
        same = last is not None and last.finer == self.finer
        if last:
            self._learn_from(last, same)
        self._place(last.problem if last and same else self._on_lattice())
        if before and not same:
            with torch.no_grad():
                self._parameter().copy_(spread(before.voxels(), self.finer))
        going = last._state if last and same else None
        if before:
            before.leave(self)
        weight = self._weigh(predicted(self.problem) if before else None)
        self._state = TvState(self.problem, self._team, weight, self.weights, going)

    def leave(self, after: Stage) -> None:
        """Its variables are another's, or done with; so are the matrices of a coarser lattice."""
        if isinstance(after, Sharpen) and after.finer != self.finer:
            self.forget()
        del self._state, self.problem, self.weights

    def forget(self) -> None:
        """No matrix of these tilts, or of this lattice, is used any more."""
        self.problem.projector.forget()

    def _place(self, problem: Problem) -> None:
        """On this problem's lattice, with poses as they are now."""
        poses = Fixed(NoOptions(), self._own.poses().to(self._team.device), problem.grid)
        self.problem = replace(problem, poses=poses.to(self._team.device))

    def _learn_from(self, last: Sharpen, same: bool) -> None:
        """What the volume so far says: where images are, and how strongly edges are kept down."""
        self.freed, self.asked = last.freed, last.asked
        if self._others is not None and any(p.requires_grad for p in self._own.poses.parameters()):
            change = self._move(last)
            give_back()
            if same and self.finer > 1:
                back = change.common * last.common < 0
                self.longer = 1.0 if back else min(2 * last.longer, LONGEST)
            rays = self._rays()
            change.lengthened(self.longer).accept(self._own.poses)
            if not torch.equal(self._rays(), rays):
                last.forget()
            self.moved, self.common = change.motion, change.common
        self.weights = last.weights
        if not self._given:
            self.caution = last.caution if same else last.best_caution()

    def _move(self, last: Sharpen) -> Proposal:
        """How poses are to move: with their reserve, if images have just told that they need it."""
        held = reserve(self._own.poses)
        if self._asks and held:
            last.forget()  # the band has matrices of its own
            problem = replace(last.problem, poses=self._own.poses)
            with doing("asking held-out rows for tilt angles"):
                verdict = judged(problem, self._team, last.weights, last.error, last.even)
            self.asked = verdict.told if verdict else ""
            if verdict and verdict.worthwhile:
                self.freed = True
                set_free(held)
                return verdict.step
        with doing("moving poses"):
            return last.propose(self._own.poses)

    def _rays(self) -> Tensor:
        return self._own.views().ray.detach()

    def propose(self, poses: PoseModel) -> Proposal:
        """Where this stage's volume would have images moved, and what else tells of them."""
        every = (self.evidence(poses), *self._told())
        return step_by(*(asked(one, self._team) for one in every))

    def _told(self) -> Sequence[Evidence]:
        """What else tells of poses."""
        return () if self._others is None else self._others()

    def evidence(self, poses: PoseModel) -> Evidence:
        """What this stage's images and volume say of poses."""
        problem = replace(self.problem, poses=poses, series=self.even(self.problem.series))
        return Evidence(problem, self.weights, precision(self.error))

    def best_caution(self) -> float:
        """What held-out images say."""
        with doing("choosing smoothness by held-out images"):
            return best_caution(self.problem, self._team, self.weights, self.error, self.even)

    def even(self, series: TiltSeries) -> TiltSeries:
        """Its problem's series, or some rows of it, with images of the same brightness."""
        return series

    def step(self) -> Tensor:
        """One primal-dual iteration; the loss in units of the joint solver's."""
        return self._solver.step(self.problem, self._state, self._team) / self._unit**2

    def state_dict(self) -> dict[str, Any]:
        """The iterate, its duals, and all that was found on entering."""
        going = self._state.state_dict()  # which makes the volume whole
        return self._kept() | {"tv": going}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._return_to(state, self._on_lattice())
        self._state = TvState(self.problem, self._team, self._strength(), self.weights)
        self._state.load_state_dict(state["tv"])

    def _kept(self) -> dict[str, Any]:
        """What was found on entering, and the volume."""
        return {
            "found": {name: getattr(self, name) for name in FOUND},
            "weights": self.weights,
            "error": self.error,
            "brightness": self._brightness and tuple(self._brightness),
            "volume": self.problem.volume.state_dict(),
        }

    def _return_to(self, state: dict[str, Any], problem: Problem) -> None:
        """Have it again, on this problem's lattice."""
        device = self._team.device
        for name in FOUND:
            setattr(self, name, state["found"][name])
        if self.freed:
            set_free(reserve(self._own.poses))
        self.weights, self.error = state["weights"].to(device), state["error"].to(device)
        self._place(problem)
        if state["brightness"]:
            self._even_out(Brightness(*(part.to(device) for part in state["brightness"])))
        self.problem.volume.load_state_dict(state["volume"])

    def _parameter(self) -> torch.nn.Parameter:
        (parameter,) = self.problem.volume.parameters()
        return parameter

    def _on_lattice(self) -> Problem:
        """The problem with a volume and a projector on this stage's lattice."""
        own = self._own
        if self.finer == 1:
            return own
        return moved_to(own, own.grid.finer(self.finer), self._team.device)

    def _weigh(self, model: Tensor | None) -> Tensor:
        """Weights of pixels, from what a model leaves of them if there is one; that of TV."""
        if model is not None and self._balance != "none":
            self._even_out(brightness(self._own.series, model, self.weights, self._balance))
        del self.weights  # or they are there beside the new ones
        noise = weigh(self.even(self.problem.series).images, model)
        self.weights, self.error = noise.weights, noise.error
        give_back()
        return self._strength()

    def _strength(self) -> Tensor:
        """That of TV."""
        return strength(self.caution, self.error, self.problem)

    def _even_out(self, found: Brightness) -> None:
        """Images of the same brightness; always from those that were given."""
        self._brightness, self.uneven = found, found.uneven
        self.problem = replace(self.problem, series=found.undone(self._own.series))
