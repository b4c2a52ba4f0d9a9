"""What the automatic solver is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from tomoinr.interfaces import Problem


class Stage(ABC):
    """Some steps of one method on one problem; a stage may find on entering that it needs none."""

    name: str  # in plain words
    steps: int
    finer: int = 1  # voxels along a pixel's edge
    share: float = 1.0  # of the volume that a step works on
    moved: float = 0.0  # pixels by which the usual image was off, on entering
    problem: Problem

    @property
    def motion(self) -> Tensor | float | None:
        """Pixels by which poses last moved the usual image, if they did."""
        return self.moved or None

    def voxels(self) -> Tensor:
        """What it has found (channels, y, z, x), on its own lattice or on that of the images."""
        (found,) = self.problem.volume.parameters()
        return found.detach()

    @abstractmethod
    def enter(self, before: Stage | None) -> None:
        """Set out from what the stage before has found."""

    @abstractmethod
    def leave(self, after: Stage) -> None:
        """Let go of what takes memory: the stage after knows all it needs, and is to set out."""

    @abstractmethod
    def step(self) -> Tensor:
        """One step; its loss."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on in the middle."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, without having entered."""
