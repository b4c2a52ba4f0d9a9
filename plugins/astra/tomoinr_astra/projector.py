"""ASTRA's projector, slice by slice, with its back-projection as the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Views
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.options import option
from tomoinr.sampling import Draw, stratified_rows
from tomoinr_astra.bench import Bench, Kernel, bench

Map = Callable[[Tensor], Tensor]


class AstraProjector(Projector):
    """Whole detector rows of views that share the tilt axis y, on the CPU."""

    name = "astra"
    abilities = frozenset({Ability.BLOCKS, Ability.LINEAR})

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's projector."""

        kernel: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets")

    def __init__(self, options: Options, grid: Grid) -> None:
        self.options, self.grid = options, grid

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """Stratified random rows of all views, about `budget` pixels."""
        tilts, rows, columns = series.shape
        count = max(1, round(budget / (tilts * columns)))
        return Pixels.rows(series.shape, stratified_rows(rows, count, draw))

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals at whole rows: (channels, views, rows, columns)."""
        rows = None if pixels is None else pixels.row.reshape(-1)
        voxels = volume.voxels(self.grid, rows)
        seen = views if pixels is None else _select(views, pixels.view.reshape(-1))
        sinograms: Tensor = Linear.apply(
            voxels.flatten(0, 1), lambda x: self._forward(x, seen), lambda y: self._back(y, seen)
        )
        return sinograms.reshape(*voxels.shape[:2], *sinograms.shape[1:]).transpose(1, 2)

    def _forward(self, slices: Tensor, views: Views) -> Tensor:
        """(slices, z, x) → (slices, views, columns)."""
        with bench("FP", views, self.grid, self.options.kernel) as work:
            return _each(slices, work, work.slice, work.sinogram)

    def _back(self, sinograms: Tensor, views: Views) -> Tensor:
        """The transpose: (slices, views, columns) → (slices, z, x)."""
        with bench("BP", views, self.grid, self.options.kernel) as work:
            return _each(sinograms, work, work.sinogram, work.slice)


class Linear(torch.autograd.Function):
    """A linear map and its transpose: each is the other's gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, forth: Map, back: Map) -> Tensor:
        """The map."""
        ctx.maps = back, forth
        return forth(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The transpose, itself differentiable."""
        return Linear.apply(gradient, *ctx.maps), None, None


def _each(inputs: Tensor, work: Bench, entry: Any, result: Any) -> Tensor:
    """Run every input through the bench: the results, stacked."""
    results = torch.empty(len(inputs), *result.shape, dtype=inputs.dtype)
    for i, one in enumerate(inputs.detach().cpu()):
        entry[...] = one
        work.run(1)
        results[i] = torch.from_numpy(result)
    return results.to(inputs.device)


def _select(views: Views, index: Tensor) -> Views:
    """Some of the views."""
    shape = (len(index), *views.shape[1:])
    parts = {name: getattr(views, name)[index] for name in ("ray", "centre", "u", "v")}
    return replace(views, shape=shape, **parts)
