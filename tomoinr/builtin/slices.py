"""The fast projector: one sparse matrix for every slice at once, then a warp of the detector.

A parallel projection factors exactly. Tilting about y mixes x and z within a slice, so a single
operator A(θ) serves all slices; an in-plane rotation or a shift only moves the detector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.memory import give_back
from tomoinr.builtin.slice_operator import SliceOperator, host
from tomoinr.builtin.slice_plan import EVERYTHING, SlicePlan, angles_of, make_plan
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Views
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.options import option
from tomoinr.sampling import Draw, stratified_rows
from tomoinr.team import Team

PIXELS_TOGETHER = 1 << 16  # on a CPU: whole views with so many at most, but one at least


class Slices(Projector):
    """Whole detector rows of views that share the tilt axis y.

    Where voxels are s times smaller than pixels, a pixel is the mean of s × s finer ones.
    """

    name = "slices"
    abilities = frozenset({Ability.BLOCKS, Ability.POSES, Ability.LINEAR})
    apart = True

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
        voxels = volume.voxels(self.grid, plan.slices)
        sinogram = self._operator(voxels, plan.angles, plan.radians)
        if plan.learns:
            return _shown(sinogram, plan, self.options.warp)
        images: Tensor = _Shown.apply(sinogram, plan, self.options.warp)
        return images

    def on(self, grid: Grid) -> Slices:
        """Boxes that differ along the tilt axis alone share their matrices."""
        other = Slices(self.options, grid)
        if (grid.shape[1:], grid.spacing) == (self.grid.shape[1:], self.grid.spacing):
            other._operator = self._operator
        return other

    def share(self, views: Views, team: Team) -> None:
        """The matrices."""
        self._operator.share(host(angles_of(views.ray)), team)

    def forget(self) -> None:
        """Let go of matrices and plans; they are made anew when they are needed."""
        self._operator, self._last = SliceOperator(self.grid), None
        give_back()

    def _plan(self, views: Views, pixels: Pixels) -> SlicePlan:
        """The geometry of this call; the last one is kept, since linear solvers repeat it."""
        if self._last is None or not self._last.serves(views, pixels):
            reach = 1 if self.options.warp == "bicubic" else 0
            plan = make_plan(views, pixels, self.grid, self._operator.columns, reach)
            self._last = None if plan.learns else plan
            return plan
        return self._last


class _Shown(torch.autograd.Function):
    """Some views after the other; since it is linear, nothing need be kept for the way back."""

    @staticmethod
    def forward(ctx: Any, sinogram: Tensor, plan: SlicePlan, warp: str) -> Tensor:
        ctx.plan, ctx.warp, ctx.shape = plan, warp, sinogram.shape
        images = sinogram.new_empty(len(sinogram), *plan.shape)
        for some in _portions(plan):
            images[:, some] = _shown(sinogram[:, some], plan, warp, some)
        return images

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad,), plan = grads, ctx.plan
        back = grad.new_empty(ctx.shape)
        for some in _portions(plan):
            with torch.enable_grad():
                blank = grad.new_zeros(()).expand(back[:, some].shape).requires_grad_()
                images = _shown(blank, plan, ctx.warp, some)
            back[:, some] = torch.autograd.grad(images, blank, grad[:, some])[0]
        return back, None, None


def _portions(plan: SlicePlan) -> Iterator[slice]:
    """Some views after the other."""
    views, rows, columns = plan.shape
    together = max(1, PIXELS_TOGETHER // (rows * columns))
    together = together if plan.angles.device.type == "cpu" else views
    for first in range(0, views, together):
        yield slice(first, first + together)


def _shown(sinogram: Tensor, plan: SlicePlan, warp: str, some: slice = EVERYTHING) -> Tensor:
    """What some views show of (channels, views, slices, columns): binned, moved and turned."""
    if any(plan.empty):
        sinogram = functional.pad(sinogram, (0, 0, *plan.empty))
    if plan.corner is not None:
        return _cut(sinogram, plan)
    images = _binned(sinogram.movedim(0, 1), plan.ratio)
    places = plan.places(some).to(images.dtype)
    return functional.grid_sample(images, places, warp, align_corners=False).movedim(0, 1)


def _binned(images: Tensor, ratio: int) -> Tensor:
    """Means of every ratio × ratio pixels; sums of shifted images, since pooling is slower."""
    for dim in (-1, -2):
        size = images.shape[dim] - ratio + 1
        shifted = [images.narrow(dim, start, size) for start in range(ratio)]
        images = reduce(torch.add, shifted) / ratio if ratio > 1 else images
    return images


def _cut(sinogram: Tensor, plan: SlicePlan) -> Tensor:
    """What images show that are neither moved nor turned: no interpolation at all."""
    assert plan.corner is not None
    (row, column), s = plan.corner, plan.ratio
    _, rows, columns = plan.shape
    block = sinogram[:, :, row : row + s * rows, column : column + s * columns]
    return functional.avg_pool2d(block, s) if s > 1 else block
