"""ASTRA's projector, with its back-projection as the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Views
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.options import option
from tomoinr.sampling import Draw, stratified_rows
from tomoinr_astra import cuda
from tomoinr_astra.bench import Algorithm, Kernel, bench, share_out

Map = Callable[[Tensor], Tensor]


class AstraProjector(Projector):
    """Whole detector rows: on the CPU of views that share the tilt axis y, on a GPU of any."""

    name = "astra"
    abilities = frozenset({Ability.BLOCKS, Ability.LINEAR})

    @dataclass(frozen=True)
    class Options:
        """Options of ASTRA's projector."""

        kernel: Kernel = option("linear", "how ASTRA weights the voxels that a ray meets (cpu)")
        device: Literal["cpu", "cuda"] = option("cpu", "where ASTRA works; cuda: in 3-D, any pose")

    def __init__(self, options: Options, grid: Grid) -> None:
        self.options, self.grid = options, grid
        if options.device == "cuda":
            cuda.check()
            self.abilities = self.abilities | {Ability.TILTED_AXIS}

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """Stratified random rows of all views, about `budget` pixels."""
        tilts, rows, columns = series.shape
        count = max(1, round(budget / (tilts * columns)))
        return Pixels.rows(series.shape, stratified_rows(rows, count, draw))

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals at whole rows: (channels, views, rows, columns)."""
        rows = None if pixels is None else pixels.row.reshape(-1)
        seen = views if pixels is None else _select(views, pixels.view.reshape(-1))
        if self.options.device == "cuda":
            images = self._solid(volume, seen)
            return images if rows is None else images[:, :, rows]
        return self._slices(volume, seen, rows)

    def _slices(self, volume: Volume, views: Views, rows: Tensor | None) -> Tensor:
        """Slice by slice, those of some rows alone."""
        voxels = volume.voxels(self.grid, rows)
        sinograms: Tensor = Linear.apply(
            voxels.flatten(0, 1),
            lambda x: self._each("FP", x, views, (views.shape[0], views.shape[2])),
            lambda y: self._each("BP", y, views, self.grid.shape[1:]),
        )
        return sinograms.reshape(*voxels.shape[:2], *sinograms.shape[1:]).transpose(1, 2)

    def _each(self, way: Algorithm, inputs: Tensor, views: Views, shape: tuple[int, ...]) -> Tensor:
        """Slices to sinograms (FP), or the other way (BP): all inputs, through ASTRA."""
        results = torch.empty(len(inputs), *shape, dtype=inputs.dtype)
        given = inputs.detach().cpu()

        def work(some: Sequence[int]) -> None:
            with bench(way, views, self.grid, self.options.kernel) as made:
                ends = made.slice, made.sinogram
                entry, result = ends if way == "FP" else ends[::-1]
                for i in some:
                    entry[...] = given[i]
                    made.run(1)
                    results[i] = torch.from_numpy(result)

        share_out(range(len(inputs)), work)
        return results.to(inputs.device)

    def _solid(self, volume: Volume, views: Views) -> Tensor:
        """The whole volume at once, on the GPU."""
        images: Tensor = Linear.apply(
            volume.voxels(self.grid),
            lambda x: torch.stack([cuda.forward(one, views, self.grid) for one in x]),
            lambda y: torch.stack([cuda.back(one, views, self.grid) for one in y]),
        )
        return images


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


def _select(views: Views, index: Tensor) -> Views:
    """Some of the views."""
    shape = (len(index), *views.shape[1:])
    parts = {name: getattr(views, name)[index] for name in ("ray", "centre", "u", "v")}
    return replace(views, shape=shape, **parts)
