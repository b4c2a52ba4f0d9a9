"""Random batches.

Every rank draws the same global batch from a counter-based generator (seed, stream, step) and
takes its share, so a run gives the same numbers on any number of ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tomoinr.geometry import Pixels, Shape


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
