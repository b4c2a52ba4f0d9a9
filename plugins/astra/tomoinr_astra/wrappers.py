"""Other parts, wrapped: a volume within a mask, a projector that pixels are kept from, one slice's
poses, and a solver that sets out from a given volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Pixels, Poses, Views
from tomoinr.interfaces import PoseModel, Problem, Projector, Solver, State, Volume
from tomoinr.sampling import Draw
from tomoinr.team import Team


def within(inner: type[Volume], box: Grid, mask: Tensor) -> type[Volume]:
    """The volumes of a class, zero where the mask [y, z, x] of a box is, and outside the box."""

    class Within(Volume):
        """A volume within a mask."""

        name, Options, presets = inner.name, inner.Options, inner.presets
        abilities, needs, rate = inner.abilities, inner.needs, inner.rate

        def __init__(self, options: Any, grid: Grid, channels: int = 1) -> None:
            super().__init__()
            self.options, self.grid, self.channels = options, grid, channels
            self.inner = inner(options, grid, channels)
            self._masks: dict[Grid, Tensor] = {}

        def density(self, points: Tensor) -> Tensor:
            """The volume's, where the mask is not zero."""
            return self.inner.density(points) * _nearest(mask, box, points)[..., None]

        def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
            """The volume's, where the mask is not zero."""
            values = self.inner.voxels(grid, slices)
            if grid not in self._masks:
                self._masks[grid] = _nearest(mask, box, grid.points()).to(values)
            inside = self._masks[grid]
            return values * (inside if slices is None else inside[slices])

    return Within


def _nearest(mask: Tensor, box: Grid, points: Tensor) -> Tensor:
    """The mask at points (..., 3): (...), zero outside the box."""
    sizes = points.new_tensor(box.shape)
    away = (points - points.new_tensor(box.centre))[..., [1, 2, 0]] / box.spacing
    index = (away + (sizes - 1) / 2).round().long()
    there = ((index >= 0) & (index < sizes)).all(-1)
    y, z, x = torch.where(there[..., None], index, 0).unbind(-1)
    return mask.to(points.device)[y, z, x] * there


class Seen(Projector):
    """A projector that shows nothing at the pixels where a mask [view, row, column] is zero."""

    name = "seen"

    def __init__(self, inner: Projector, mask: Tensor) -> None:
        self.options, self.grid, self.abilities = inner.options, inner.grid, inner.abilities
        self.name = inner.name  # type: ignore[misc]
        self._inner, self._mask = inner, mask

    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """The projector's own pattern."""
        return self._inner.sample(series, budget, draw)

    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals, or zero."""
        images = self._inner.project(volume, views, pixels)
        mask = self._mask.to(images)
        return images * (mask if pixels is None else mask[pixels.view, pixels.row, pixels.column])


class InSlice(PoseModel):
    """Another model's tilts and shifts across the axis: what one slice can tell."""

    name = "in-slice"

    def __init__(self, inner: PoseModel) -> None:
        super().__init__()
        self.options, self.needs, self.inner = inner.options, inner.needs, inner
        self.name = inner.name  # type: ignore[misc]

    def forward(self) -> Poses:
        """Neither turned in the detector's plane nor moved along the axis."""
        poses = self.inner()
        return Poses.of(poses.angles().tilt, shift=poses.shift * poses.shift.new_tensor((1, 0)))


class Bounds(NamedTuple):
    """The lowest and the highest density, in the units of the file; none: no bound."""

    low: float | None
    high: float | None

    def clip_(self, values: Tensor, scale: float = 1.0) -> None:
        """Into the bounds, in place; values × scale are densities."""
        low, high = (None if bound is None else bound / scale for bound in self)
        if low is not None or high is not None:
            values.clamp_(low, high)


class SetOut(Solver):
    """A solver that starts from given voxels (y, z, x), and keeps bounds after every step."""

    name = "set-out"

    def __init__(self, inner: Solver, start: Tensor | None, bounds: Bounds | None) -> None:
        self.options, self.needs, self.abilities = inner.options, inner.needs, inner.abilities
        self.name = inner.name  # type: ignore[misc]
        self.partners: Mapping[str, tuple[str, ...]] = inner.partners  # type: ignore[misc]
        self._inner, self._start, self._bounds = inner, start, bounds

    def init(self, problem: Problem, team: Team) -> State:
        """The voxels first, in the problem's own units."""
        if self._start is not None:
            (values,) = problem.volume.parameters()
            values.data.copy_(self._start[None] / problem.scale)
        return self._inner.init(problem, team)

    def step(self, problem: Problem, state: State, team: Team) -> Tensor:
        """The solver's step."""
        loss = self._inner.step(problem, state, team)
        if self._bounds is not None:
            (values,) = problem.volume.parameters()
            self._bounds.clip_(values.data, float(problem.scale))
        return loss

    def done(self, problem: Problem, state: State) -> bool:
        """When the solver is."""
        return self._inner.done(problem, state)
