"""Image after image: what the steps share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from tomoinr.data import TiltSeries


def each(series: TiltSeries, change: Callable[[Tensor, int], Tensor]) -> TiltSeries:
    """Every image (rows, columns) of every channel changed, given its place in the series."""
    out = None
    for number in range(len(series.angles)):
        for channel, images in enumerate(series.images):
            image = change(images[number], number)
            if out is None:  # only now is the size known
                out = image.new_empty(*series.images.shape[:2], *image.shape)
            out[channel, number] = image
    assert out is not None, "a series has images"
    return replace(series, images=out)


def name(series: TiltSeries, number: int) -> str:
    """An image as errors call it."""
    return f"{series.source}: image {series.sections[number]}"


def noted(series: TiltSeries, note: str) -> TiltSeries:
    """The same series, with one thing more to know about it."""
    return replace(series, notes=(*series.notes, note))
