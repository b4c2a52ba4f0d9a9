"""When to stop: as soon as noise that was held back is no longer predicted any better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tomoinr.builtin.averaging import Average, assign
from tomoinr.builtin.thinning import held_out
from tomoinr.data import TiltSeries
from tomoinr.interfaces import Problem
from tomoinr.sampling import Draw
from tomoinr.team import Team

if TYPE_CHECKING:
    from tomoinr.builtin.joint import Joint

CHECKS = 25  # in a run of full length
LARGER = 4  # times a batch: the pixels looked at, always the same


class Stopping:
    """The loss on held-out noise, and the averaged weights of its best moment.

    `history` holds (step, loss): half the mean square of residuals in `unit`s. Patience counts
    from step `settled` on, when residuals are no longer filtered or coarse.
    """

    def __init__(
        self, series: TiltSeries, average: Average, options: Joint.Options, settled: int
    ) -> None:
        self.stopped = False
        self.history: list[tuple[int, float]] = []
        self._series, self._average, self._options = series, average, options
        self._best = [p.detach().clone() for p in average.parameters]
        self._settled = settled
        self._every = max(1, round(options.steps / CHECKS))

    def update(self, step: int, problem: Problem, budget: int, unit: float, team: Team) -> None:
        """Judge the averaged weights now and then; stop after too long without gain."""
        o = self._options
        if step % self._every and step < o.steps:
            return
        with torch.no_grad(), self._average.applied():
            loss = float(self._loss(problem, budget, team)) / unit**2
            if loss < min((known for _, known in self.history), default=float("inf")):
                assign(self._best, self._average.parameters)
        self.history.append((step, loss))
        self.stopped = step >= o.steps or self._idle(step) >= o.patience * o.steps

    def finish(self) -> None:
        """Back to the best moment."""
        assign(self._average.parameters, self._best)

    def state_dict(self) -> dict[str, Any]:
        """What was seen, and the best weights."""
        return {"stopped": self.stopped, "history": list(self.history), "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.stopped = bool(state["stopped"])
        self.history = [(int(step), float(loss)) for step, loss in state["history"]]
        assign(self._best, state["best"])

    def _idle(self, step: int) -> float:
        """Steps without gain, since the best moment or since all is settled."""
        best = min(self.history, key=lambda seen: seen[1])[0]
        return step - max(best, self._settled)

    def _loss(self, problem: Problem, budget: int, team: Team) -> Tensor:
        """On the held-out part of always the same pixels: 0-d."""
        draw = Draw(problem.seed, self._options.steps)  # a step that no batch has
        pixels = problem.projector.sample(problem.series, LARGER * budget, draw)
        total = self._series.images.new_zeros(())
        mine = pixels.part(team.share(len(pixels))).to(team.device)
        if len(mine):
            held = held_out(self._series.at(mine), problem.series.at(mine))
            total = (problem.predict(mine) - held).square().sum()
        team.sum_([total])
        return total / (2 * len(problem.series.channels) * pixels.shape.numel())
