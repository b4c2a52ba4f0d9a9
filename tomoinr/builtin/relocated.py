"""The same problem on another lattice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Component, Problem, Volume

TOGETHER = 4  # slices at a time, where points between voxels are looked up


def moved_to(problem: Problem, grid: Grid, device: torch.device) -> Problem:
    """The problem with a new volume, empty, and its projector for another lattice."""
    volume = problem.volume
    made = class_of(volume)(volume.options, grid, volume.channels).to(device)
    return replace(problem, grid=grid, volume=made, projector=problem.projector.on(grid))


@torch.no_grad()
def rendered(volume: Volume, grid: Grid, found: Tensor) -> None:
    """All its voxels (channels, y, z, x) on any lattice, a few slices at a time; where they go."""
    for some in torch.arange(grid.shape[0], device=found.device).split(TOGETHER):
        found[:, some] = volume.voxels(grid, some)


def class_of(part: Component) -> Any:
    """A part's class, to make another like it."""
    return type(part)
