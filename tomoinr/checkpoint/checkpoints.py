"""Keeping a run's state now and then, and going on from it; all ranks of a team act together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tomoinr.checkpoint.folder import Folder
from tomoinr.checkpoint.history import packed, unpacked
from tomoinr.checkpoint.nested import flattened
from tomoinr.checkpoint.origin import Origin, check, other_versions
from tomoinr.checkpoint.pace import Pace
from tomoinr.checkpoint.signals import Asked
from tomoinr.checkpoint.together import agreed, shared
from tomoinr.data import Alignment, Record
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem, State
from tomoinr.team import Team

LAYOUT = 4  # one more whenever what a part keeps comes to mean something else
Align = Callable[[], Alignment | None]


class Stopped(Exception):
    """A run that was asked to stop, after its checkpoint was written."""

    def __init__(self, signal: str, step: int) -> None:
        super().__init__(f"stopped by {signal} at step {step}")
        self.signal, self.step = signal, step


class Checkpoints:
    """Kept in `folder`, the last two of them, `every` so many steps ("200") or minutes ("5min").

    `resume`: go on from the last, if there is one. `force`: replace those of an earlier run, which
    are refused otherwise. `asked` answers with the name of a signal as soon as the run is to stop:
    see `Signals`. One of these serves one run.
    """

    def __init__(
        self,
        folder: str | Path,
        every: str | int = "5min",
        resume: bool = False,
        force: bool = False,
        tell: Callable[[str], None] = lambda line: None,
        asked: Asked = lambda: None,
    ) -> None:
        self._folder, self._pace = Folder(folder), Pace.of(str(every))
        self._resume, self._force, self._tell, self._asked = resume, force, tell, asked
        self._made_from: Origin | None = None
        self._alignment: Alignment | None = None
        self._kept: dict[str, Any] | None = None
        self._last = 0, 0.0  # step and moment of the last checkpoint

    def begin(self, made_from: Callable[[], Origin], team: Team, align: Align) -> Alignment | None:
        """Find what to go on from, made from the same; the rough alignment, kept or found now."""
        self._made_from = {}
        self._kept = shared(team, team.first(lambda: self._found(made_from(), team.size)))
        self._alignment = align() if self._kept is None else _alignment(self._kept)
        return self._alignment

    def resume(self, problem: Problem, state: State, team: Team) -> tuple[Record, ...]:
        """Put problem and state back to where they were; the history until then."""
        if self._made_from is None:
            self.begin(dict, team, lambda: None)
        flattened(state.state_dict())  # what cannot be kept is refused now
        kept, self._kept = self._kept, None
        history: tuple[Record, ...] = ()
        if kept is not None:
            with told_plainly(f"{self._folder.path}: does not fit these parts"):
                problem.modules().load_state_dict(kept["modules"])
                state.load_state_dict(kept["state"])
            history = unpacked(kept["history"])
        self._last = state.step, time.monotonic()
        return history

    def stepped(self, problem: Problem, state: State, team: Team, history: list[Record]) -> None:
        """Write a checkpoint if it is time, or if any rank was asked to stop: then stop."""
        step, (last, moment) = state.step, self._last
        due = self._pace.over(time.monotonic() - moment, step - last)
        signal, due = agreed(team, self._asked(), due)
        if signal or due:
            self._write(problem, state, team, history)
        if signal:
            raise Stopped(signal, step)

    def finish(self, team: Team) -> None:
        """The run has come to its end: nothing is left to go on from."""
        team.first(self._folder.clear)

    def _found(self, made_from: Origin, ranks: int) -> dict[str, Any] | None:
        """What is in the folder to go on from; what is not wanted goes, or is refused."""
        self._made_from = made_from
        self._folder.sweep()
        if not self._resume:
            self._check_free()
            return None
        found = self._folder.newest(self._tell)
        if found is None:
            self._tell(f"{self._folder.path}: no checkpoint: starting from the beginning")
            return None
        then = found.value
        if then.get("layout") != LAYOUT:
            raise TomoinrError(
                f"{found.path}: written by a tomoinr that kept other things; go on with that one, "
                "or start anew (--force without --resume, in Python force=True)"
            )
        check(then["made_from"], made_from, str(found.path))
        for line in other_versions(then["made_from"], made_from):
            self._tell(f"not as it was: {line}")
        if then["ranks"] != ranks:
            self._tell(f"not as it was: {then['ranks']} processes then, {ranks} now")
        self._tell(f"going on from step {then['step']} ({found.path.name})")
        return then

    def _check_free(self) -> None:
        files = self._folder.files()
        if files and not self._force:
            raise TomoinrError(
                f"{files[0]}: a run that was stopped left this: go on from it (--resume, in "
                "Python resume=True), or replace it (--force, force=True)"
            )
        self._folder.clear()

    def _write(self, problem: Problem, state: State, team: Team, history: list[Record]) -> None:
        """All ranks tell what they have; rank 0 writes it down."""
        found, known = self._alignment, state.state_dict()  # which makes the volume whole
        value = {
            "layout": LAYOUT,
            "step": state.step,
            "made_from": self._made_from,
            "ranks": team.size,
            "alignment": found and (found.poses.rotation, found.poses.shift, found.notes),
            "history": packed(history),
            "modules": problem.modules().state_dict(),
            "state": known,
        }
        team.first(lambda: self._folder.add(state.step, value))
        self._last = state.step, time.monotonic()


def _alignment(kept: dict[str, Any]) -> Alignment | None:
    """The rough alignment that a checkpoint holds, if there was one."""
    if kept["alignment"] is None:
        return None
    rotation, shift, notes = kept["alignment"]
    return Alignment(Poses(rotation, shift), notes)
