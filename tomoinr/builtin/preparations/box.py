"""Smaller and larger boxes, around the same middle or one that is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from tomoinr.builtin.preparations.images import each
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Preparation
from tomoinr.options import option

HALF = "a whole number of pixels, or a half where odd and even meet"


class Crop(Preparation):
    """A smaller box, cut out around the middle or beside it."""

    name = "crop"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of cropping."""

        rows: int | None = option(None, "rows that stay; none: all", low=1)
        columns: int | None = option(None, "columns that stay; none: all", low=1)
        offset_x: float = option(0.0, f"from the old middle to the new, in columns: {HALF}")
        offset_y: float = option(0.0, f"from the old middle to the new, in rows: {HALF}")

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """The part of each image that is in the box."""
        o, (_, old_rows, old_columns) = self.options, series.shape
        rows = _window(series, "rows", old_rows, o.rows or old_rows, o.offset_y)
        columns = _window(series, "columns", old_columns, o.columns or old_columns, o.offset_x)
        return replace(series, images=series.images[..., rows, columns].clone())


class Pad(Preparation):
    """A larger box, the images in its middle or beside it."""

    name = "pad"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of padding."""

        rows: int | None = option(None, "rows of the new box; none: as many as there are", low=1)
        columns: int | None = option(
            None, "columns of the new box; none: as many as there are", low=1
        )
        offset_x: float = option(0.0, f"from the images' middle to the box's, in columns: {HALF}")
        offset_y: float = option(0.0, f"from the images' middle to the box's, in rows: {HALF}")
        fill: float | Literal["border"] = option(
            0.0, "value around the images; border: the median of each image's outermost pixels"
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every image with something around it."""
        o, (_, rows, columns) = self.options, series.shape
        box = (o.rows or rows, o.columns or columns)
        there = (
            _window(series, "rows", box[0], rows, -o.offset_y),
            _window(series, "columns", box[1], columns, -o.offset_x),
        )

        def padded(image: Tensor, number: int) -> Tensor:
            fill = float(_frame(image).median()) if o.fill == "border" else o.fill
            out = torch.full(box, fill, dtype=image.dtype)
            out[there] = image
            return out

        return each(series, padded)


def _window(series: TiltSeries, what: str, outer: int, inner: int, offset: float) -> slice:
    """Where the smaller of two boxes lies in the larger; `offset` of its middle, in pixels."""
    start = (outer - inner) / 2 + offset
    if inner > outer:
        raise TomoinrError(
            f"{series.source}: {inner} {what} do not fit into {outer}; "
            "crop makes images smaller, pad larger"
        )
    if start != round(start):
        raise TomoinrError(
            f"{series.source}: the middle of {outer} {what} and that of {inner} cannot be "
            f"{abs(offset):g} apart; change a number by one, or the offset by 0.5"
        )
    if not 0 <= start <= outer - inner:
        raise TomoinrError(
            f"{series.source}: {inner} {what} with an offset of {abs(offset):g} leave the box of "
            f"{outer}; at most {(outer - inner) / 2:g}"
        )
    return slice(int(start), int(start) + inner)


def _frame(image: Tensor) -> Tensor:
    """The outermost pixels."""
    return torch.cat((image[0], image[-1], image[1:-1, 0], image[1:-1, -1]))
