"""No knobs: poses first, then total variation on a finer lattice, with pixels weighed by noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto_stages import Stage, final, plan
from tomoinr.interfaces import Ability, Problem, Solver
from tomoinr.options import option
from tomoinr.team import Team


class AutoState:
    """The stage under way, and those to come."""

    def __init__(self, stages: list[Stage]) -> None:
        self.step = 0
        self.stages = stages
        self.entered: Stage | None = None

    def now(self) -> Stage:
        """The stage that the next step belongs to, entered if it is new."""
        done = 0
        for stage in self.stages:
            done += stage.steps
            if self.step < done:
                break
        if self.entered is not stage:
            stage.enter(self.entered)
            self.entered = stage
        return stage

    def state_dict(self) -> dict[str, Any]:
        """The step, and what the stage under way needs."""
        number = self.stages.index(self.entered) if self.entered else -1
        inner = self.entered.state_dict() if self.entered else {}
        return {"step": self.step, "stage": number, "inner": inner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])
        if state["stage"] >= 0:
            self.entered = self.stages[int(state["stage"])]
            self.entered.enter(None)
            self.entered.load_state_dict(state["inner"])


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
        pose_steps: int = option(400, "batches that find the poses, where they are free", low=1)
        capture: float = option(
            0.0,
            "pixels by which poses may be off at first; rough alignment leaves under one",
            low=0,
        )
        preview: int = option(100, "iterations of TV on the images' own lattice", low=2)
        finer: int = option(2, "voxels along a pixel's edge, in the last part", low=1, high=4)
        rounds: int = option(3, "times that the noise is measured anew on it", low=0)
        round_steps: int = option(60, "iterations of TV in each round", low=1)
        caution: float = option(
            0.17, "edges kept down, in standard errors of a voxel that all views see", low=0
        )

    presets = {"fast": {"pose_steps": 300, "rounds": 0}, "best": {"rounds": 6, "round_steps": 80}}

    def __init__(self, options: Options) -> None:
        self.options = options

    def init(self, problem: Problem, team: Team) -> AutoState:
        """The plan."""
        return AutoState(plan(problem, team, self.options))

    def step(self, problem: Problem, state: AutoState, team: Team) -> Tensor:  # type: ignore[override]
        """One step of the stage under way; at the end the result goes into the volume."""
        loss = state.now().step()
        state.step += 1
        if self.done(problem, state):
            with torch.no_grad():
                final(problem, state.now())
        return loss

    def done(self, problem: Problem, state: AutoState) -> bool:  # type: ignore[override]
        """After the last stage."""
        return state.step >= sum(stage.steps for stage in state.stages)
