"""Several signals of one specimen, each channel with the help of the strongest.

First the leading channel by itself, which also finds the poses; then all others together. Their
counts have Poisson's likelihood; an edge costs them nothing where the leading channel has one too;
and their sum, raised to a power, is to give the leading channel as far as that helps to predict
counts that were held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from tomoinr.builtin.auto.box import gathered
from tomoinr.builtin.auto.solver import Auto
from tomoinr.builtin.fused.choose import Trial, chosen
from tomoinr.builtin.fused.counts import Counting
from tomoinr.builtin.fused.first import First, on_lattice
from tomoinr.builtin.fused.guide import Mixture, normals
from tomoinr.builtin.fused.iterates import Coupling, Iterates
from tomoinr.builtin.fused.leading import leaders, recorded
from tomoinr.builtin.fused.notes import notes
from tomoinr.builtin.fused.signals import alone, signal
from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.team import Team

Judged = Literal["judged", "yes", "no"]


class FusedState:
    """The leading channel's run, then the others' iterates."""

    def __init__(self, first: First, lead: int, others: list[int]) -> None:
        self.step = 0
        self.first, self.lead, self.others = first, lead, others
        self.coupling: Coupling | None = None  # on the images' own lattice
        self.iterates: Iterates | None = None
        self.made = 0  # iterations of those
        self.notes: tuple[str, ...] = ()
        self.kept: dict[str, Any] | None = None  # iterates to go on from, once they are set up

    def state_dict(self) -> dict[str, Any]:
        """The first run, what was chosen, and the iterates."""
        c = self.coupling
        chosen = c and (c.cautions, c.mixture and tuple(c.mixture), c.sum_weight, c.joint)
        return {
            "step": self.step,
            "made": self.made,
            "first": self.first.state_dict(),
            "chosen": chosen,
            "iterates": self.iterates and self.iterates.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step, self.made = int(state["step"]), int(state["made"])
        self.first.load_state_dict(state["first"])
        self.kept = state if state["iterates"] else None


class Fused(Solver):
    """Maps that are faint and few, such as EDS, with the help of a strong signal, such as HAADF."""

    name = "fused"
    needs = frozenset({Ability.BLOCKS, Ability.LINEAR})
    abilities = frozenset({Ability.POSES, Ability.GAPS})
    partners = {
        "volume": ("voxels",),
        "poses": ("rigid", "fixed"),
        "projector": ("slices",),
    }
    presets = {
        "fast": {"rounds": 2, "round_steps": 30, "iterations": 80},
        "best": {"rounds": 8, "round_steps": 60, "iterations": 300},
    }

    @dataclass(frozen=True)
    class Options:
        """Options of the fused solver."""

        steps: int = option(0, "steps in all; 0: as many as the parts below ask for", low=0)
        rounds: int = option(6, "of the automatic solver, on the leading channel", low=1)
        round_steps: int = option(45, "iterations in each of them", low=1)
        iterations: int = option(200, "on the other channels together", low=1)
        power: float = option(
            0.0, "to which the sum of the others gives the leading channel; 0: as found", low=0
        )
        caution: float = option(
            0.0, "edges kept down, in standard errors of a voxel; 0: as held-out counts say", low=0
        )
        edges: bool = option(True, "an edge is free where the leading channel has one")
        joint: Judged = option(
            "judged",
            "one length of all other channels' edges counts (joint total variation); judged: if "
            "held-out counts say so",
        )
        sums: bool = option(True, "the others' sum may count, if held-out counts say so")

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> FusedState:
        """The leading channels' runs."""
        o, named = self.options, leaders(problem.series)
        half = (o.steps + 1) // 2  # of one step too: none would mean as many as it likes
        given = Auto.Options(
            steps=-(-half // len(named)),
            rounds=o.rounds,
            round_steps=o.round_steps,
            within=0.0,  # it is the smaller part of what all channels take
        )
        first, lead = First(problem, named, given, team), named[0]
        return FusedState(first, lead, [i for i in range(problem.volume.channels) if i != lead])

    def step(self, problem: Problem, state: FusedState, team: Team) -> Tensor:  # type: ignore[override]
        """One step of the leading channel, or one iteration of the others."""
        if not state.first.done:
            loss = state.first.step()
            _show_(problem, state)
        else:
            if state.iterates is None:
                self._enter(problem, state, team)
            assert state.iterates is not None, "entered"
            loss = state.iterates.step()
            state.made += 1
            last = self.done(problem, state)
            found = state.iterates.densities() if last else state.iterates.shown()
            _show_(problem, state, found)
        state.step += 1
        if self.done(problem, state):
            state.notes = tuple(notes(problem, state))
        return loss

    def done(self, problem: Problem, state: FusedState) -> bool:  # type: ignore[override]
        """After the last iteration of the others, if there are any."""
        most = self.options.iterations
        if self.options.steps:
            most = max(1, self.options.steps - self.options.steps // 2)
        return state.first.done and (not state.others or state.made >= most)

    def _enter(self, problem: Problem, state: FusedState, team: Team) -> None:
        """Set up the others, with what couples them chosen now, or before a run was cut off."""
        fine, lattice = state.first.guide()
        pixel = problem.series.pixel_size
        grid = _coarser(lattice, max(1, round(pixel / lattice.spacing)))
        guide = on_lattice(fine, grid)
        problems = [alone(problem, channel, grid) for channel in state.others]
        countings = [_counting(problem, channel) for channel in state.others]
        ways = normals(guide) if self.options.edges else None
        if state.kept:
            state.coupling = _again(state.kept["chosen"], guide, ways)
        else:
            trial = Trial.of(problems, countings, team, pixel)
            state.coupling = chosen(trial, guide, ways, self.options)
        signals = [
            signal(one, team, counting, pixel)
            for one, counting in zip(problems, countings, strict=True)
        ]
        state.iterates = Iterates(signals, state.coupling, team)
        if state.kept:
            state.iterates.load_state_dict(state.kept["iterates"])
            state.kept = None


@torch.no_grad()
def _show_(problem: Problem, state: FusedState, voxels: Tensor | None = None) -> None:
    """The leading channel, or the others' densities in counts, into the problem's volume."""
    (own,) = problem.volume.parameters()
    if state.iterates is None or voxels is None:
        state.first.show()
        return
    for place, channel in enumerate(state.others):
        gain = state.iterates.signals[place].counting.gain / problem.series.pixel_size
        own[channel] = gathered(voxels[place : place + 1] * gain, own[:1].shape)[0]


def _counting(problem: Problem, channel: int) -> Counting:
    how = recorded(problem.series)[channel]
    return Counting.of(problem.series.channel(channel), how.noise, how.weight)


def _coarser(grid: Grid, factor: int) -> Grid:
    """The same box in larger voxels."""
    y, z, x = (n // factor for n in grid.shape)
    return Grid((y, z, x), grid.spacing * factor, grid.centre)


def _again(kept: Any, guide: Tensor, ways: Tensor | None) -> Coupling:
    """What was chosen before a run was cut off."""
    cautions, mixture, weight, joint = kept
    found = mixture and Mixture(*mixture)
    target = found and found.target(guide)
    return Coupling(tuple(cautions), ways, found, target, weight, joint=joint)
