"""The one reconstruct loop, the same for every solver and every team."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from tomoinr.data import Reconstruction, Record
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem, Solver, State, check_fit
from tomoinr.team import Solo, Team

log = logging.getLogger(__name__)
RENDERED = 16  # slices at a time

Observer = Callable[[Record, Problem], None]
"""Called on rank 0 after every logged step."""


class Keeper(Protocol):
    """Keeps what a run that is cut short would lose; all ranks call it at the same moments."""

    def resume(self, problem: Problem, state: State, team: Team) -> Sequence[Record]:
        """Put problem and state back to where an earlier run was; its history until then."""

    def stepped(self, problem: Problem, state: State, team: Team, history: list[Record]) -> None:
        """After a logged step: keep it, if it is time; raise, if the run is to stop."""


def run(
    problem: Problem,
    solver: Solver,
    team: Team | None = None,
    observers: Sequence[Observer] = (),
    checkpoints: Keeper | None = None,
) -> Reconstruction:
    """Step until the solver is done; rank 0's parameters and buffers are everyone's start."""
    team = team or Solo()
    check_fit(problem, solver)
    modules = problem.modules()
    team.copy_([*modules.parameters(), *modules.buffers()])
    with flushed_denormals():
        history, notes = _iterate(problem, solver, team, observers, checkpoints)
    modules.zero_grad()  # which frees as much as the volume takes
    with doing("rendering the volume"):
        return _result(problem, team, history, notes)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as zero: regions fade into them, and they slow a CPU down."""
    already = not float(torch.tensor(1e-40) * 1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


def _iterate(
    problem: Problem, solver: Solver, team: Team, observers: Sequence[Observer], keep: Keeper | None
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    with doing(f"setting up the solver {solver.name}"):
        state = solver.init(problem, team)
    # Reading a loss waits for the device: on a GPU, not at every step.
    every = 1 if team.device.type == "cpu" else 10
    history = [*keep.resume(problem, state, team)] if keep else []
    begun = time.perf_counter() - (history[-1].seconds if history else 0)
    while not solver.done(problem, state):
        loss = solver.step(problem, state, team)
        if state.step % every and not solver.done(problem, state):
            continue
        history.append(_record(solver, state, float(loss), time.perf_counter() - begun))
        _check_loss(history[-1], solver)
        if team.rank == 0:
            for observe in observers:
                observe(history[-1], getattr(state, "current", problem))
        if keep:
            keep.stepped(problem, state, team, history)
    log.info("%s: %d steps in %.2f s", solver.name, state.step, time.perf_counter() - begun)
    return tuple(history), tuple(getattr(state, "notes", ()))


def _record(solver: Solver, state: State, loss: float, seconds: float) -> Record:
    """What the state tells of itself; numbers on a device are read here."""

    def number(name: str) -> float | None:
        value = getattr(state, name, None)
        return None if value is None else float(value)

    stage, options = getattr(state, "stage", ""), getattr(solver, "options", None)
    of = getattr(state, "of", 0) or getattr(options, "steps", 0)
    told = map(number, ("validation", "moved", "part"))
    return Record(state.step, loss, seconds, stage, of, *told)


def _check_loss(record: Record, solver: Solver) -> None:
    if record.loss != record.loss or abs(record.loss) == float("inf"):
        raise TomoinrError(
            f"{solver.name} diverged at step {record.step}: its loss is not a finite number; "
            "lower its step size"
        )


def _result(
    problem: Problem, team: Team, history: tuple[Record, ...], notes: tuple[str, ...]
) -> Reconstruction:
    problem.projector.forget()
    rows = torch.arange(problem.grid.shape[0], device=team.device)
    mine = rows[team.share(len(rows))]  # each rank renders some slices, a few at a time
    shape = len(mine), problem.volume.channels, *problem.grid.shape[1:]
    part = torch.empty(shape, device=team.device)
    for some, target in zip(mine.split(RENDERED), part.split(RENDERED), strict=True):
        target.copy_(problem.voxels(some).movedim(1, 0))
    voxels = team.gather(part).movedim(0, 1).contiguous().cpu().numpy()
    return Reconstruction(
        voxels=voxels[0] if len(voxels) == 1 else voxels,
        grid=problem.grid,
        poses=problem.poses().to("cpu"),
        history=history,
        series=problem.series.to(torch.device("cpu")),
        notes=notes,
    )
