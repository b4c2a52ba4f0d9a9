"""The fast projector: one sparse matrix for every slice at once, then a warp of the detector.

A parallel projection factors exactly. Tilting about y mixes x and z within a slice, so a single
operator A(θ) serves all slices; an in-plane rotation or a shift only moves the detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.slice_operator import SliceOperator
from tomoinr.builtin.slice_plan import SlicePlan, make_plan
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Views
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.options import option
from tomoinr.sampling import Draw, stratified_rows


class Slices(Projector):
    """Whole detector rows of views that share the tilt axis y.

    Where voxels are s times smaller than pixels, a pixel is the mean of s × s finer ones.
    """

    name = "slices"
    abilities = frozenset({Ability.BLOCKS, Ability.POSES, Ability.LINEAR})

    @dataclass(frozen=True)
    class Options:
        """Options of the slice projector."""

        warp: Literal["bilinear", "bicubic"] = option(
            "bilinear", "interpolation of shifted or turned images; bicubic blurs less"
        )

    def __init__(self, options: Options, grid: Grid) -> None:
        self.options, self.grid = options, grid
        self._operator = SliceOperator(grid)
        self._last: SlicePlan | None = None

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """Stratified random rows of all views, about `budget` pixels."""
        tilts, rows, columns = series.shape
        count = max(1, round(budget / (tilts * columns)))
        return Pixels.rows(series.shape, stratified_rows(rows, count, draw))

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals at whole rows: (channels, views, rows, columns)."""
        plan = self._plan(views, Pixels.rows(views.shape) if pixels is None else pixels)
        sinogram = self._operator(volume.voxels(self.grid, plan.slices), plan.angles)
        sinogram = functional.pad(sinogram, (0, 0, *plan.empty)) if any(plan.empty) else sinogram
        if plan.corner is not None:
            return _cut(sinogram, plan)
        images = sinogram.movedim(0, 1)
        if plan.ratio > 1:
            images = functional.avg_pool2d(images, plan.ratio, stride=1)
        return self._sampled(images, plan.across, plan.along).movedim(0, 1)

    def _plan(self, views: Views, pixels: Pixels) -> SlicePlan:
        """The geometry of this call; the last one is kept, since linear solvers repeat it."""
        if self._last is None or not self._last.serves(views, pixels):
            reach = 1 if self.options.warp == "bicubic" else 0
            plan = make_plan(views, pixels, self.grid, self._operator.columns, reach)
            self._last = None if plan.learns else plan
            return plan
        return self._last

    def _sampled(self, images: Tensor, across: Tensor, along: Tensor) -> Tensor:
        """(views, channels, slices, columns) at fractional places (B,k,W)."""
        height, width = images.shape[-2:]
        places = ((2 * across + 1) / width - 1, (2 * along + 1) / height - 1)
        grid = torch.stack(places, dim=-1).to(images.dtype)
        return functional.grid_sample(images, grid, self.options.warp, align_corners=False)


def _cut(sinogram: Tensor, plan: SlicePlan) -> Tensor:
    """What images show that are neither moved nor turned: no interpolation at all."""
    assert plan.corner is not None
    (row, column), s = plan.corner, plan.ratio
    rows, columns = plan.along.shape[1], plan.across.shape[2]
    block = sinogram[:, :, row : row + s * rows, column : column + s * columns]
    return functional.avg_pool2d(block, s) if s > 1 else block
