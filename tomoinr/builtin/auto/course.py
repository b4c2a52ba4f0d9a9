"""How much of a plan's work is done: a step of one stage takes longer than one of another."""

from __future__ import annotations

from collections.abc import Iterable

from tomoinr.builtin.auto.stage import Stage

# Measured, in the time of a step on the images' own lattice: entering a stage, and going to finer
# voxels, for which held-out images say how far edges are kept down. A step there takes about the
# square of `finer`: 2 to 10 for 2.
OPENING, FINER = 15, 250


def part(stages: Iterable[Stage], step: int) -> float:
    """Of all that the stages have to do, how much is done after so many steps (0 to 1)."""
    done = total = 0.0
    before, finer = 0, 1
    for stage in (stage for stage in stages if stage.steps):
        opening = OPENING if stage.finer == finer else FINER
        within = min(max(step - before, 0), stage.steps)
        work = stage.share * stage.finer**2
        total += opening + work * stage.steps
        done += (opening if within else 0) + work * within
        before, finer = before + stage.steps, stage.finer
    return done / total if total else 1.0
