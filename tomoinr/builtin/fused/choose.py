"""How strongly edges and sums are held: as counts that were held back are predicted best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from tomoinr.builtin.auto.hold_out import lowest
from tomoinr.builtin.fused.counts import Counting
from tomoinr.builtin.fused.guide import mixture
from tomoinr.builtin.fused.iterates import Coupling, Iterates
from tomoinr.builtin.fused.signals import Signal, signal
from tomoinr.builtin.thinning import held_out, thinned
from tomoinr.interfaces import Problem
from tomoinr.team import Team

if TYPE_CHECKING:
    from tomoinr.builtin.fused.solver import Fused

CAUTIONS = (0.4, 0.7, 1.2, 2.1)  # with the edges of a guide
LONELY = (0.2, 0.4, 0.7, 1.2)  # without
SUMS = (2.0, 10.0, 50.0)
JOINED = (1.0, 1.4)  # times as much caution, where one length of all channels' edges counts
KEPT = 0.75  # of the counts, to learn from
FIRST, NEXT = 60, 40  # iterations, from nothing and from the last


@dataclass(frozen=True, eq=False)
class Trial:
    """Every channel twice: the counts to learn from, and those that judge."""

    learning: tuple[Signal, ...]
    judging: tuple[tuple[Counting, Tensor], ...]
    team: Team

    @classmethod
    def of(
        cls, problems: Sequence[Problem], countings: Sequence[Counting], team: Team, pixel: float
    ) -> Trial:
        """Counts are dealt out one by one; other noise is imitated."""
        learning, judging = [], []
        for problem, counting in zip(problems, countings, strict=True):
            images = problem.series.images
            kept = thinned(images, problem.seed, KEPT)
            seen = replace(problem, series=replace(problem.series, images=kept))
            learning.append(signal(seen, team, counting.of_part(KEPT), pixel))
            judging.append((counting.of_part(1 - KEPT), held_out(images, kept, KEPT)))
        return cls(tuple(learning), tuple(judging), team)

    def run(self, coupling: Coupling, steps: int, last: Iterates | None = None) -> Iterates:
        """So many iterations on the counts to learn from."""
        iterates = Iterates(self.learning, coupling, self.team, last)
        for _ in range(steps):
            iterates.step()
        return iterates

    def surprises(self, iterates: Iterates) -> list[float]:
        """Minus the log-likelihood of each channel's other counts, of all its pixels."""
        found = []
        for i, (one, (counting, images)) in enumerate(
            zip(self.learning, self.judging, strict=True)
        ):
            voxels = iterates.last[i : i + 1].contiguous()
            shown = one.map.forward(voxels) * (one.size * one.counting.gain)
            mine = counting.surprise(shown, one.map.share(images))
            found.append(float(one.map.mean(mine)) * images.numel())
        return found


def chosen(trial: Trial, guide: Tensor, normals: Tensor | None, options: Fused.Options) -> Coupling:
    """How much the channels' sum counts; a caution for each; whether their edges count as one."""
    ladder = (options.caution,) if options.caution else CAUTIONS if options.edges else LONELY
    coupling = Coupling((ladder[len(ladder) // 2],) * len(trial.learning), normals)
    last = trial.run(coupling, FIRST)
    if options.sums:
        coupling, last = _best_sum(trial, coupling, guide, options.power, last)
    coupling, last = _best_cautions(trial, coupling, ladder, last)
    if options.joint != "no" and len(trial.learning) > 1:
        coupling, last = _best_joint(trial, coupling, last, always=options.joint == "yes")
    if not coupling.sum_weight:
        return coupling
    found = mixture(guide, last.densities(), options.power)
    found = found._replace(parts=found.parts * KEPT)  # all counts are more than those kept
    return replace(coupling, mixture=found, target=found.target(guide))


def _best_sum(
    trial: Trial, plain: Coupling, guide: Tensor, power: float, last: Iterates
) -> tuple[Coupling, Iterates]:
    """The weight of the sum, from none to strong; the mixture is found anew at every rung."""
    tried = [(sum(trial.surprises(last)), plain, last)]
    for weight in SUMS:
        found = mixture(guide, last.densities(), power)
        summed = replace(plain, mixture=found, target=found.target(guide), sum_weight=weight)
        last = trial.run(summed, NEXT, last)
        tried.append((sum(trial.surprises(last)), summed, last))
    _, best, last = min(tried, key=lambda one: one[0])
    return best, last


def _best_cautions(
    trial: Trial, coupling: Coupling, ladder: Sequence[float], last: Iterates
) -> tuple[Coupling, Iterates]:
    """Each channel has its own; every rung sets out from the same."""
    surprises = []
    for caution in ladder:
        tried = replace(coupling, cautions=(caution,) * len(trial.learning))
        surprises.append(trial.surprises(trial.run(tried, NEXT, last)))
    places = np.log(ladder)
    best = tuple(lowest(places, np.array(by_rung)) for by_rung in zip(*surprises, strict=True))
    coupling = replace(coupling, cautions=best)
    return coupling, trial.run(coupling, NEXT, last)


def _best_joint(
    trial: Trial, single: Coupling, last: Iterates, always: bool
) -> tuple[Coupling, Iterates]:
    """Joint total variation, if it predicts counts better than each channel's own, or always."""
    tried = [] if always else [(sum(trial.surprises(last)), single, last)]
    for times in JOINED:
        cautions = tuple(times * caution for caution in single.cautions)
        coupling = replace(single, cautions=cautions, joint=True)
        found = trial.run(coupling, NEXT, last)
        tried.append((sum(trial.surprises(found)), coupling, found))
    _, best, last = min(tried, key=lambda one: one[0])
    return best, last
