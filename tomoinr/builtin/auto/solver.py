"""No knobs: total variation with pixels weighed by noise, while poses settle; then on finer voxels.

What poses need is found out: where the first volume shows them to be far off, they are learned
together with it; else a Gauss–Newton step between any two stages makes them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.balance import Balance
from tomoinr.builtin.auto.box import CUT_OFF, beyond, gathered, roomy, sharper
from tomoinr.builtin.auto.course import part
from tomoinr.builtin.auto.find_poses import NEAR, FindPoses
from tomoinr.builtin.auto.fineness import Lattice, lattice
from tomoinr.builtin.auto.piecewise import Piecewise
from tomoinr.builtin.auto.sharpen import Others, Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.spikes import despiked
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.team import Team


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

    @dataclass(frozen=True)
    class Options:
        """Options of the automatic solver."""

        steps: int = option(0, "steps in all; 0: as many as the parts below ask for", low=0)
        preview: int = option(100, "iterations of TV on the images' own lattice", low=2)
        pose_steps: int = option(400, "batches that find poses, where they are far off", low=1)
        capture: float = option(2.0, "pixels by which such poses may be off", low=0)
        finer: int = option(
            0,
            "voxels along a pixel's edge, in the last part; 0: 2, or 1 where memory is short",
            low=0,
            high=4,
        )
        together: int = option(
            0,
            "rows of pixels whose slices are on finer voxels at a time, from which memory follows; "
            "0: all, or as many as memory has room for",
            low=0,
        )
        rounds: int = option(6, "times that poses and noise are found anew on it", low=0)
        round_steps: int = option(45, "iterations of TV in each round", low=1)
        caution: float = option(
            0.0,
            "edges kept down, in standard errors of a voxel that all views see; 0: as held-out "
            "images say",
            low=0,
        )
        balance: Balance = option(
            "gain", "what of each image's brightness is evened out: its gain, or its offset as well"
        )

    presets = {"fast": {"rounds": 2, "round_steps": 30}, "best": {"rounds": 8, "round_steps": 60}}

    def __init__(self, options: Options, others: Others | None = tuple) -> None:
        self.options, self._others = options, others

    def init(self, problem: Problem, team: Team) -> AutoState:
        """The plan."""
        problem = prepared(problem, team)
        made = partial(plan, problem, team, self.options, self._others)
        return AutoState(made, lattice(problem, team, self.options.finer, self.options.together))

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


def plan(
    problem: Problem, team: Team, options: Auto.Options, others: Others | None, on: Lattice
) -> list[Stage]:
    """A preview, a search for poses if they are free, a second preview, rounds on finer voxels.

    Where these are not all there at once, as many steps go into two passes over them, after half
    the rounds on the images' own lattice.
    """
    half = options.preview // 2
    rounds = options.rounds // 2 if on.together else options.rounds
    sharpen = partial(
        Sharpen, problem, team, caution=options.caution, balance=options.balance, others=others
    )
    outline: list[tuple[int, Any]] = [
        (half, partial(sharpen, finer=1, name=f"preview {i} of 2")) for i in (1, 2)
    ]
    if any(p.requires_grad for p in problem.poses.parameters()):
        # Where another run moves most of the poses, the rest are always searched for.
        near = 0.0 if others is None else NEAR
        search = partial(FindPoses, problem, team, capture=options.capture, near=near)
        outline.insert(1, (options.pose_steps, search))
    outline += [
        (
            options.round_steps,
            partial(
                sharpen,
                finer=1 if on.together else on.finer,
                name=f"round {i} of {rounds}",
                asks=i == 1,
            ),
        )
        for i in range(1, rounds + 1)
    ]
    if on.together:
        parts = -(-problem.grid.shape[0] // on.together)
        passed = partial(
            Piecewise,
            problem,
            team,
            finer=on.finer,
            parts=parts,
            caution=options.caution,
            balance=options.balance,
            others=others,
        )
        outline += [
            (
                parts * max(options.rounds * options.round_steps // 2, 1),
                partial(passed, name=f"finer voxels, pass {i} of 2", followed=i == 1),
            )
            for i in (1, 2)
        ]
    lengths = _fitted([steps for steps, _ in outline], options.steps)
    return [make(steps=n) for n, (_, make) in zip(lengths, outline, strict=True) if n]


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
    if state.lattice.short and state.lattice.together:
        yield (
            f"memory is short: finer voxels for {state.lattice.together} rows of pixels at a time, "
            "which takes longer and is a little less sharp"
        )
    elif state.lattice.short:
        yield "memory is short: voxels as large as pixels, where finer ones are sharper"
    if isinstance(last, Sharpen):
        yield f"edges kept down by {last.caution:.2f} standard errors of a voxel"
    share = beyond(problem.series)
    if share >= CUT_OFF:
        yield (
            f"the specimen goes on beyond the images (their edges are {share:.2f} times as bright "
            "as their mean): reconstructed in a larger box, less sure near x and z edges"
        )


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


def _fitted(lengths: list[int], steps: int) -> list[int]:
    """Stages shortened or lengthened in proportion to `steps` in all; 0: as they are."""
    if steps == 0:
        return lengths
    ends = [round(steps * sum(lengths[: i + 1]) / sum(lengths)) for i in range(len(lengths))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
