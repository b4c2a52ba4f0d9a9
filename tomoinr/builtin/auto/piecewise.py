"""Finer voxels where memory is short: a few slices after the others, and no more at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.piece import Piece
from tomoinr.builtin.auto.sharpen import Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.builtin.pose_steps import (
    Asked,
    Proposal,
    asked,
    equations,
    motions_of,
    step_by,
    whereabouts,
)
from tomoinr.builtin.rows import predicted
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TvState
from tomoinr.interfaces import PoseModel, Projector


class Piecewise(Sharpen):
    """One pass over all slices, in so many `parts`; poses move between two passes.

    The volume that lasts is on the images' own lattice. What finer voxels tell of poses and noise
    is kept as images, where another pass follows (`followed`): predictions and their slopes.
    """

    def __init__(self, *args: Any, parts: int, followed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.steps, self.share = max(self.steps, parts), 1 / parts
        self._cores = _shared_out(self._own.grid.shape[0], parts)
        self._turns = _shared_out(self.steps, parts)  # when each piece is due
        self._title, self._followed, self._done = self.name, followed, 0
        self._fine: Projector = self._own.projector.on(self._own.grid.finer(self.finer))
        self._piece: Piece | None = None
        self._seen: Tensor | None = None  # prediction, then slopes: (1 + kinds, channels, T, …)

    def enter(self, before: Stage | None) -> None:
        """Poses move, if they are free; noise is measured."""
        again = before if isinstance(before, Piecewise) else None
        if isinstance(before, Sharpen):
            self._learn_from(before, same=again is not None)
        self._place(before.problem if isinstance(before, Sharpen) else self._own)
        if again:
            self._fine = again._fine
            model: Tensor | None = again.predicted_at(self)
        else:
            model = predicted(self.problem) if before else None
        self._weigh(model)
        if before:
            before.leave(self)
        self._begin()

    def leave(self, after: Stage) -> None:
        """Its images are done with; nothing else is left."""
        del self._seen, self.problem, self.weights

    def _begin(self) -> None:
        """Nothing is known yet of what finer voxels show."""
        if self._followed:
            model, kinds = self._own.poses, 0
            if any(p.requires_grad for p in model.parameters()):
                kinds = motions_of(self.evidence(model).problem).shape[1]
            self._seen = torch.zeros(1 + kinds, *self._own.series.images.shape).to(self.weights)

    def predicted_at(self, after: Sharpen) -> Tensor:
        """What images should show, with the poses of another stage."""
        assert self._seen is not None
        old, new = (whereabouts(one.problem.poses(), one.problem) for one in (self, after))
        kinds = len(self._seen) - 1
        moved = torch.einsum("ti,ictrw->ctrw", (new - old)[:, :kinds], self._seen[1:])
        return self._seen[0] + moved

    def propose(self, poses: PoseModel) -> Proposal:
        """Where all pieces together would have images moved, and what else tells of them."""
        assert self._seen is not None
        problem, weights = self.evidence(poses)
        residual = self.problem.series.images - self._seen[0]
        matrix, vector = equations(self._seen[1:], residual, weights)
        own = Asked(motions_of(problem), matrix.double(), vector.double())
        return step_by(own, *(asked(one, self._team) for one in self._told()))

    def step(self) -> Tensor:
        """One iteration on one piece; its loss, in units of the joint solver's."""
        if self._piece is None:
            self._open()
        assert self._piece is not None
        loss = self._solver.step(self._piece.problem, self._state, self._team)
        self._done += 1
        if any(self._done == turn.stop for turn in self._turns):
            self._close(self._piece)
        return loss / self._unit**2

    def _open(self) -> None:
        """The piece that is due."""
        number = sum(turn.stop <= self._done for turn in self._turns)
        turn = self._turns[number]
        self.name = f"{self._title}, part {number + 1} of {len(self._turns)}"
        self._solver = Tv(Tv.Options(steps=turn.stop - turn.start))
        self._piece = Piece(self.problem, self._cores[number], self.finer, self._fine)
        rows, weight = self._piece.rows, self._strength()
        self._state = TvState(self._piece.problem, self._team, weight, self.weights[:, :, rows])

    def _close(self, piece: Piece) -> None:
        """What it has found is kept."""
        piece.finish()
        if self._seen is not None:
            self._seen[:, :, :, piece.rows] += piece.shown(len(self._seen) - 1)
        self._piece = None
        del self._state

    def state_dict(self) -> dict[str, Any]:
        """The volume as it was before the piece under way, and where that stands."""
        kept = self._kept() | {"done": self._done, "seen": self._seen, "piece": None}
        if self._piece is not None:
            going = self._state.state_dict()  # which makes its voxels whole
            kept |= {"piece": self._piece.problem.volume.state_dict(), "tv": going}
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._return_to(state, self._own)
        self._done = int(state["done"])
        if state["seen"] is not None:
            self._seen = state["seen"].to(self.weights)
        if state["piece"] is not None:
            self._open()
            assert self._piece is not None
            self._piece.problem.volume.load_state_dict(state["piece"])
            self._state.load_state_dict(state["tv"])


def _shared_out(units: int, parts: int) -> list[slice]:
    """As even parts as can be."""
    ends = [units * i // parts for i in range(parts + 1)]
    return [slice(*both) for both in pairwise(ends)]
