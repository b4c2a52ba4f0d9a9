"""Where rays cross the box, and points along them."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.geometry import Grid, Rays


def inside(rays: Rays, grid: Grid) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the box: two tensors (...), equal where a ray misses it."""
    centre = rays.origin.new_tensor(grid.centre)
    half = rays.origin.new_tensor(grid.extent) / 2
    slope = torch.where(rays.direction.abs() < 1e-9, 1e-9, rays.direction)
    a = (centre - half - rays.origin) / slope
    b = (centre + half - rays.origin) / slope
    enter = torch.minimum(a, b).amax(-1)
    leave = torch.maximum(a, b).amin(-1)
    return enter, torch.maximum(enter, leave)


def march(
    rays: Rays, grid: Grid, count: int, jitter: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Points at equal steps inside the box (..., count, 3) and the step's length (...), in Å.

    `jitter` in [0, 1), broadcast over (..., count), moves each point within its step.
    """
    enter, leave = inside(rays, grid)
    step = (leave - enter) / count
    offset = 0.5 if jitter is None else jitter
    at = enter[..., None] + (torch.arange(count, device=step.device) + offset) * step[..., None]
    return rays.origin[..., None, :] + at[..., None] * rays.direction[..., None, :], step
