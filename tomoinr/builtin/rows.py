"""Whole images a few rows at a time, so that what is worked out on the way stays small."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tomoinr.builtin.memory import give_back
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Problem

PIXELS = 1 << 18  # at a time, about


def row_parts(pixels: Pixels) -> Iterator[Pixels]:
    """All rows of these, in their order."""
    together = max(1, PIXELS * len(pixels) // max(1, pixels.shape.numel()))
    for first in range(0, len(pixels), together):
        yield pixels.part(slice(first, first + together))


@torch.no_grad()
def predicted(problem: Problem) -> Tensor:
    """What all images should show: (channels, T, rows, columns)."""
    images = problem.series.images
    found = torch.empty_like(images)
    for part in row_parts(Pixels.rows(problem.series.shape).to(images.device)):
        found[:, :, part.row.flatten()] = problem.predict(part)
    give_back()
    return found
