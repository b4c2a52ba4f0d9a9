"""The same problem on another lattice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tomoinr.geometry import Grid
from tomoinr.interfaces import Component, Problem


def moved_to(problem: Problem, grid: Grid, device: torch.device) -> Problem:
    """The problem with a new volume, empty, and its projector for another lattice."""
    volume = problem.volume
    made = class_of(volume)(volume.options, grid, volume.channels).to(device)
    return replace(problem, grid=grid, volume=made, projector=problem.projector.on(grid))


def class_of(part: Component) -> Any:
    """A part's class, to make another like it."""
    return type(part)
