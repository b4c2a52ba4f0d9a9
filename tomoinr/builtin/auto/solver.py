"""No knobs: total variation with pixels weighed by noise, while poses settle; then on finer voxels.

What poses need is found out: where the first volume shows them to be far off, they are learned
together with it; else a Gauss–Newton step between any two stages makes them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.box import CUT_OFF, beyond, gathered, roomy, sharper
from tomoinr.builtin.auto.course import part
from tomoinr.builtin.auto.find_poses import FindPoses
from tomoinr.builtin.auto.fineness import Lattice, lattice
from tomoinr.builtin.auto.options import AutoOptions
from tomoinr.builtin.auto.plan import plan
from tomoinr.builtin.auto.sharpen import Others, Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.spikes import despiked
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.team import Team
from tomoinr.teams.memory import return_large_blocks


class AutoState:
    """The stage under way, and those to come; `made`: how they are planned for a lattice."""

    def __init__(self, made: Callable[[Lattice], list[Stage]], lattice: Lattice) -> None:
        self.step = 0
        self._made, self.lattice, self.stages = made, lattice, made(lattice)
        self.entered: Stage | None = None
        self.notes: tuple[str, ...] = ()

    def now(self) -> Stage:
        """The stage that the next step belongs to, entered if it is new."""
        while True:
            stage = self._due()
            if stage is self.entered:
                return stage
            stage.enter(self.entered)
            if stage.steps:
                self.entered = stage

    @property
    def current(self) -> Problem | None:
        """The stage's: on its lattice, with poses as they are now."""
        return self.entered.problem if self.entered else None

    @property
    def of(self) -> int:
        """Steps in all, as far as is known."""
        return sum(stage.steps for stage in self.stages)

    @property
    def stage(self) -> str:
        """What the last step belonged to."""
        return self.entered.name if self.entered else ""

    @property
    def moved(self) -> Tensor | float | None:
        """By how much poses last moved the usual image (pixels), if they did."""
        return self.entered.motion if self.entered else None

    @property
    def left(self) -> int:
        """Stages of total variation that have not come to their end."""
        due = self.stages[self.stages.index(self._due()) :]
        return sum(isinstance(stage, Sharpen) for stage in due) if self.step < self.of else 0

    @property
    def part(self) -> float:
        """How much of the work is done."""
        return part(self.stages, self.step)

    def state_dict(self) -> dict[str, Any]:
        """The step, the plan, and what the stage under way needs."""
        plan = [(stage.steps, stage.finer, stage.moved) for stage in self.stages]
        kept: dict[str, Any] = {"step": self.step, "plan": plan, "notes": self.notes}
        kept |= {"lattice": tuple(self.lattice), "stage": None}
        if self.entered:
            kept |= {"stage": self.stages.index(self.entered), "inner": self.entered.state_dict()}
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step, self.notes = int(state["step"]), state["notes"]
        if Lattice(*state["lattice"]) != self.lattice:  # another machine, with other memory
            self.lattice = Lattice(*state["lattice"])
            self.stages = self._made(self.lattice)
        for stage, planned in zip(self.stages, state["plan"], strict=True):
            stage.steps, stage.finer, stage.moved = planned
        if state["stage"] is not None:
            self.entered = self.stages[state["stage"]]
            self.entered.load_state_dict(state["inner"])

    def _due(self) -> Stage:
        done = 0
        for stage in self.stages:
            done += stage.steps
            if self.step < done:
                break
        return stage


class Auto(Solver):
    """What a user gets who chooses nothing: the best that is known for one tilt series."""

    name = "auto"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    abilities = frozenset({Ability.POSES})
    partners = {
        "volume": ("voxels",),
        "poses": ("rigid", "fixed"),
        "projector": ("slices",),
    }

    Options = AutoOptions
    presets = {
        "fast": {"rounds": 2, "round_steps": 30},
        "best": {"rounds": 8, "round_steps": 60, "within": 0.0},
    }

    def __init__(self, options: AutoOptions, others: Others | None = tuple) -> None:
        self.options, self._others = options, others

    def init(self, problem: Problem, team: Team) -> AutoState:
        """The plan."""
        problem = prepared(problem, team)
        made = partial(plan, problem, team, self.options, self._others)
        chosen = lattice(problem, team, self.options)
        if chosen.plain:
            return_large_blocks()
        return AutoState(made, chosen)

    def step(self, problem: Problem, state: AutoState, team: Team) -> Tensor:  # type: ignore[override]
        """One step of the stage under way; at the end the result goes into the volume."""
        stage = state.now()
        loss = stage.step()
        state.step += 1
        if self.done(problem, state):
            (own,) = problem.volume.parameters()
            with torch.no_grad():
                own.copy_(gathered(stage.voxels(), own.shape))
            state.notes = tuple(_notes(state, problem))
        return loss

    def done(self, problem: Problem, state: AutoState) -> bool:  # type: ignore[override]
        """After the last stage."""
        return state.step >= state.of


def _notes(state: AutoState, problem: Problem) -> Iterator[str]:
    """What was found out on the way."""
    for stage in state.stages:
        if isinstance(stage, FindPoses) and stage.steps and stage.moved:
            yield f"poses were {stage.moved:.2f} px off or more: learned with the volume"
    last = state.entered
    if isinstance(last, Sharpen) and last.moved:
        yield f"the last step of the poses moved images by {last.moved:.3f} px (median)"
    if isinstance(last, Sharpen) and last.asked:
        yield tilts_in_words(last, problem)
    if isinstance(last, Sharpen) and last.uneven:
        yield f"the images' gains differed by {100 * last.uneven:.1f} % (rms) and were evened out"
    if state.lattice.short:
        more = "quality best takes what is free, the option memory as many GiB"
        yield f"little memory is taken: {_makeshift(state.lattice)} ({more})"
    if isinstance(last, Sharpen):
        yield f"edges kept down by {last.caution:.2f} standard errors of a voxel"
    share = beyond(problem.series)
    if share >= CUT_OFF:
        yield (
            f"the specimen goes on beyond the images (their edges are {share:.2f} times as bright "
            "as their mean): reconstructed in a larger box, less sure near x and z edges"
        )


def _makeshift(lattice: Lattice) -> str:
    """What memory has room for, in words."""
    if lattice.together:
        return (
            f"finer voxels for {lattice.together} rows of pixels at a time, which takes longer and "
            "is a little less sharp"
        )
    pieces = f", for {lattice.plain} rows of them at a time" if lattice.plain else ""
    return f"voxels as large as pixels{pieces}, where finer ones are sharper"


def tilts_in_words(last: Sharpen, problem: Problem) -> str:
    """What became of the tilt angles, and why."""
    if not last.freed:
        return (
            "tilt angles left as they are: correcting them does not clearly explain held-out rows "
            f"better (in {last.asked} it does)"
        )
    off = problem.poses().angles().tilt.detach() - problem.series.angles
    return (
        f"tilt angles corrected, by {float(off.std()):.2f}° (rms): that explains held-out rows "
        f"better in {last.asked}"
    )


def prepared(problem: Problem, team: Team) -> Problem:
    """Without lone wild pixels; projected sharply; with room for what lies beside the field."""
    series = problem.series
    dark = float(series.images.mean())
    if dark <= 0:
        raise TomoinrError(
            f"the images' mean is {dark:.3g}, but density is kept above zero: make the specimen "
            "bright on a dark ground (--prepare log for bright field, --prepare background), or "
            "choose the solver tv or sirt with positive = false"
        )
    series = replace(series, images=despiked(series.images))
    problem = replace(problem, series=series, projector=sharper(problem.projector))
    if beyond(series) < CUT_OFF:
        return problem
    return moved_to(problem, roomy(problem.grid), team.device)
