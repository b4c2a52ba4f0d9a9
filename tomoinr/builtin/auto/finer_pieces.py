"""Pieces on finer voxels, of which no volume is ever whole."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.auto.piecewise import Piecewise
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
from tomoinr.geometry import Pixels
from tomoinr.interfaces import PoseModel, Projector


class FinerPieces(Piecewise):
    """What finer voxels tell of poses and noise is kept as images, where another pass follows.

    These are predictions and their slopes (`followed`).
    """

    def __init__(self, *args: Any, followed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self._followed = followed
        self._seen: Tensor | None = None  # prediction, then slopes: (1 + kinds, channels, T, …)

    def enter(self, before: Stage | None) -> None:
        """As on plain voxels; nothing is known yet of what finer ones show."""
        if isinstance(before, FinerPieces):
            self._projector = before._projector  # with its matrices
        super().enter(before)
        if self._followed:
            model, kinds = self._own.poses, 0
            if any(p.requires_grad for p in model.parameters()):
                kinds = motions_of(self.evidence(model).problem).shape[1]
            self._seen = torch.zeros(1 + kinds, *self._own.series.images.shape).to(self.weights)

    def leave(self, after: Stage) -> None:
        """Not even what it showed is needed: the stage after has asked for it."""
        super().leave(after)
        self._seen = None

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
        mine = self.evidence(poses)
        residual = mine.problem.series.images - self._seen[0]
        sure = mine.at(Pixels.rows(mine.problem.series.shape))
        matrix, vector = equations(self._seen[1:], residual, sure)
        own = Asked(motions_of(mine.problem), matrix.double(), vector.double())
        return step_by(own, *(asked(one, self._team) for one in self._told()))

    def _made(self) -> Projector:
        return self._own.projector.on(self._own.grid.finer(self.finer))

    def _explained(self, before: Stage) -> Tensor:
        if isinstance(before, FinerPieces):
            return before.predicted_at(self)
        return super()._explained(before)

    def _close(self) -> None:
        if self._seen is not None and self._piece is not None:
            self._seen[:, :, :, self._piece.rows] += self._piece.shown(len(self._seen) - 1)
        super()._close()

    def state_dict(self) -> dict[str, Any]:
        """What closed pieces showed, as well."""
        return super().state_dict() | {"seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        if state["seen"] is not None:
            self._seen = state["seen"].to(self.weights)
