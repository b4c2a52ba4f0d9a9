"""Total variation where memory is short: a few slices after the others, and no more at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.balance import Brightness
from tomoinr.builtin.auto.piece import Piece
from tomoinr.builtin.auto.sharpen import Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.memory import give_back
from tomoinr.builtin.rows import predicted
from tomoinr.builtin.slabs import shared_out
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TvState
from tomoinr.data import TiltSeries
from tomoinr.interfaces import Projector


class Piecewise(Sharpen):
    """One pass over all slices, in so many `parts`; poses move between two passes.

    The volume that lasts is on the images' own lattice.
    """

    def __init__(self, *args: Any, parts: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.steps, self.share = max(self.steps, parts), 1 / parts
        self._cores = shared_out(self._own.grid.shape[0], parts)
        self._turns = shared_out(self.steps, parts)  # when each piece is due
        self._title, self._done = self.name, 0
        self._projector = self._made()
        self._piece: Piece | None = None

    def enter(self, before: Stage | None) -> None:
        """Poses move, if they are free; noise is measured."""
        last = before if isinstance(before, Sharpen) else None
        if last:
            self._learn_from(last, same=last.finer == self.finer)
        elif before:
            with torch.no_grad():
                self._parameter().copy_(before.voxels())
        self._place(self._own)
        model = self._explained(before) if before else None
        if before:
            before.leave(self)
        self._weigh(model)

    def leave(self, after: Stage) -> None:
        """Its images are done with; so are the matrices of a coarser lattice."""
        if after.finer != self.finer:
            self.forget()
        del self.problem, self.weights

    def forget(self) -> None:
        """Those of pieces as well."""
        super().forget()
        self._projector.forget()

    def step(self) -> Tensor:
        """One iteration on one piece; its loss, in units of the joint solver's."""
        if self._piece is None:
            self._open()
        assert self._piece is not None
        loss = self._solver.step(self._piece.problem, self._state, self._team)
        self._done += 1
        if any(self._done == turn.stop for turn in self._turns):
            self._close()
        return loss / self._unit**2

    def even(self, series: TiltSeries) -> TiltSeries:
        """Done when it is asked for: pieces take a few rows."""
        return self._brightness.undone(series) if self._brightness else series

    def _even_out(self, found: Brightness) -> None:
        self._brightness, self.uneven = found, found.uneven

    def _made(self) -> Projector:
        """The projector whose matrices pieces share."""
        return self._own.projector

    def _explained(self, before: Stage) -> Tensor:
        """What images should show, by what the stage before has found."""
        return predicted(self.problem)

    def _parameter(self) -> torch.nn.Parameter:
        """Of the volume that lasts."""
        (parameter,) = self._own.volume.parameters()
        return parameter

    def _open(self) -> None:
        """The piece that is due."""
        number = sum(turn.stop <= self._done for turn in self._turns)
        turn = self._turns[number]
        self.name = f"{self._title}, part {number + 1} of {len(self._turns)}"
        self._solver = Tv(Tv.Options(steps=turn.stop - turn.start))
        core = self._cores[number]
        self._piece = Piece(self.problem, core, self.finer, self._projector, self.even)
        give_back()
        rows, weight = self._piece.rows, self._strength()
        self._state = TvState(self._piece.problem, self._team, weight, self.weights[:, :, rows])
        give_back()

    def _close(self) -> None:
        """What it has found is kept."""
        assert self._piece is not None
        self._piece.finish()
        self._piece = None
        del self._state
        give_back()

    def state_dict(self) -> dict[str, Any]:
        """The volume as it was before the piece under way, and where that stands."""
        kept = self._kept() | {"done": self._done, "piece": None}
        if self._piece is not None:
            going = self._state.state_dict()  # which makes its voxels whole
            kept |= {"piece": self._piece.problem.volume.state_dict(), "tv": going}
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._return_to(state, self._own)
        self._done = int(state["done"])
        if state["piece"] is not None:
            self._open()
            assert self._piece is not None
            self._piece.problem.volume.load_state_dict(state["piece"])
            self._state.load_state_dict(state["tv"])
