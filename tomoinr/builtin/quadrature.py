"""The general projector: sample points along any ray, through any volume, and add up."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot

import torch
from torch import Tensor

from tomoinr.builtin.rays import march
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Rays, Views
from tomoinr.interfaces import Ability, Projector, Volume
from tomoinr.options import option
from tomoinr.sampling import Draw, scattered

CHUNK = 1 << 21  # points evaluated at a time where no gradient keeps them: 25 MB of coordinates
JITTER = 7  # the stream of the jitter's random numbers, apart from the batch's


class Quadrature(Projector):
    """Single pixels or whole rows of views in any pose."""

    name = "quadrature"

    @dataclass(frozen=True)
    class Options:
        """Options of the quadrature."""

        samples: float = option(1.0, "points per voxel along the longest ray", low=0.1)
        subpixels: int = option(1, "rays per pixel edge, averaged over the pixel's area", low=1)
        jitter: bool = option(False, "move each point at random within its step, anew each time")

    def __init__(self, options: Options, grid: Grid) -> None:
        self.options, self.grid = options, grid
        able = {Ability.PIXELS, Ability.BLOCKS, Ability.POSES, Ability.TILTED_AXIS}
        # With jitter two calls differ, so a linear solver would never converge.
        self.abilities = frozenset(able if options.jitter else able | {Ability.LINEAR})
        longest = hypot(*grid.shape) if min(grid.shape) > 1 else hypot(*grid.shape[1:])
        self._count = max(1, ceil(longest * options.samples))
        self._draw = Draw(0, 0)

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """Pixels scattered over all views; the jitter of this step follows the same draw."""
        self._draw = draw
        return scattered(series.shape, budget, draw)

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals: (channels, *pixels.shape)."""
        pixels = (Pixels.rows(views.shape) if pixels is None else pixels).to(views.u.device)
        shape = pixels.shape
        flat = Pixels(
            *(t.expand(shape).reshape(-1) for t in (pixels.view, pixels.row, pixels.column))
        )
        total: Tensor | float = 0.0
        for across, along in self._subpixels():
            total = total + self._integrate(volume, _moved(views, flat, across, along))
        assert isinstance(total, Tensor)
        return (total / self.options.subpixels**2).reshape(-1, *shape)

    def _subpixels(self) -> list[tuple[float, float]]:
        """Offsets of the sub-rays from the pixel's centre, in pixels."""
        n = self.options.subpixels
        offsets = [(i + 0.5) / n - 0.5 for i in range(n)]
        return [(across, along) for along in offsets for across in offsets]

    def _integrate(self, volume: Volume, rays: Rays) -> Tensor:
        """(channels, N): all at once where a gradient is wanted, else piece by piece."""
        grad = torch.is_grad_enabled()
        step = len(rays.origin) if grad else max(1, CHUNK // self._count)
        jitter = self._jitter(rays.origin)
        parts = []
        for start in range(0, len(rays.origin), max(step, 1)):
            part = slice(start, start + step)
            rays_part = Rays(rays.origin[part], rays.direction[part])
            points, length = march(
                rays_part, self.grid, self._count, None if jitter is None else jitter[part]
            )
            parts.append(volume.density(points).sum(-2).T * length)
        return torch.cat(parts, dim=1)

    def _jitter(self, origin: Tensor) -> Tensor | None:
        """Where in its step each point is, drawn alike for every device: (N, points)."""
        if not self.options.jitter:
            return None
        return self._draw.uniform(JITTER, len(origin), self._count).to(origin.device)


def _moved(views: Views, pixels: Pixels, across: float, along: float) -> Rays:
    """The rays of pixels, moved by fractions of a pixel."""
    rays = views.rays(pixels)
    shift = across * views.u[pixels.view] + along * views.v[pixels.view]
    return Rays(rays.origin + shift, rays.direction)
