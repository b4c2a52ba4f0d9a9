"""Random batches and the points on a ray.

Every rank draws the same global batch from a counter-based generator (seed, stream, step) and
takes its share, so a run gives the same numbers on any number of ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tomoinr.geometry import Grid, Pixels, Rays, Shape


@dataclass(frozen=True)
class Draw:
    """The random numbers of one step; `stream` keeps independent uses apart."""

    seed: int
    step: int

    def generator(self, stream: int) -> np.random.Generator:
        """A generator that depends on nothing but (seed, stream, step)."""
        key = np.array([self.seed, stream], dtype=np.uint64)
        counter = np.array([0, self.step, 0, 0], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=counter))

    def uniform(self, stream: int, *shape: int) -> Tensor:
        """Numbers in [0, 1)."""
        return torch.from_numpy(self.generator(stream).random(shape, dtype=np.float32))


def scattered(shape: Shape, count: int, draw: Draw, stream: int = 0) -> Pixels:
    """`count` pixels, anywhere in any view, with replacement: (N,)."""
    flat = torch.from_numpy(draw.generator(stream).integers(0, int(np.prod(shape)), count))
    _, rows, columns = shape
    return Pixels(flat // (rows * columns), flat // columns % rows, flat % columns)


def stratified_rows(rows: int, count: int, draw: Draw, stream: int = 0) -> Tensor:
    """`count` different rows, one from each of `count` strips, ascending: (count,)."""
    count = min(count, rows)
    edges = np.arange(count + 1) * rows // count
    generator = draw.generator(stream)
    at = generator.integers(edges[:-1], edges[1:])
    # Strips differ by a row; that they start anywhere gives every row the same chance.
    return torch.from_numpy(np.sort((at + generator.integers(rows)) % rows))


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
