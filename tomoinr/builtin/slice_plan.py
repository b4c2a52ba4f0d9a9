"""The geometry of one call of the slice projector: which slices, and where pixels fall on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.builtin.slice_operator import host
from tomoinr.geometry import Grid, Pixels, Views

# Pixels. Linear interpolation has a kink at every voxel, and nominal poses lie on it: which slope
# they were given would be for rounding to say. All images move alike, so nothing is seen of it.
NUDGE = 1 / 512
NEAR = 4  # slices beyond the box, within which rows keep their distance: blocks' rows do
EVERYTHING = slice(None)
ALIGNED = 1e-3  # pixels: what float32 makes of half-integers times a spacing

Sum = tuple[Tensor, Tensor]  # (B,k,1), and (B,1,W) what steps along a row add to it


class Touched(NamedTuple):
    """The column and the slice (fractional) under each pixel: sums, since rows are straight.

    Summed up when they are needed: for whole images, that is twice as large as these.
    """

    across: Sum
    along: Sum
    # Far outside the box nothing is seen, so places there are brought nearer.
    lowest: float
    highest: float

    @property
    def learns(self) -> bool:
        """Whether a gradient flows to the poses."""
        return any(part.requires_grad for part in (*self.across, *self.along))

    def at(self, some: slice = EVERYTHING) -> tuple[Tensor, Tensor]:
        """Of some views: (b,k,W) each."""
        across, along = (start[some] + steps[some] for start, steps in (self.across, self.along))
        return across, along.clamp(self.lowest, self.highest)

    def side_by_side(self, some: slice) -> Tensor:
        """The same (b,k,W,2), in as few passes as can be; without a graph."""
        (start, right), (top, down) = ((s[some], t[some]) for s, t in (self.across, self.along))
        out = start.new_empty(*torch.broadcast_shapes(start.shape, right.shape), 2)
        torch.add(start, right, out=out[..., 0])
        torch.add(top, down, out=out[..., 1]).clamp_(self.lowest, self.highest)
        return out

    def fractions(self, width: int, height: int, first: int) -> Touched:
        """As `grid_sample` wants them, slices counted from the first.

        By way of double precision, or blocks whose images differ in size would see other places.
        """
        (start, right), (top, down) = self.across, self.along
        return Touched(
            (_fraction(start.double(), width).to(start), 2 / width * right),
            (_fraction(top.double() - first, height).to(top), 2 / height * down),
            _fraction(self.lowest - first, height),
            _fraction(self.highest - first, height),
        )


def _fraction(index: Any, size: int) -> Any:
    """An index as a fraction of the image, from -1 at its first edge to 1 at its last."""
    return (2 * index + 1) / size - 1


class Needed(NamedTuple):
    """Where slices are among those that are needed."""

    first: int
    order: Tensor | None  # of all from `far` before the box on; none: they follow each other
    far: int

    @classmethod
    def of(cls, needed: Tensor, slices: int, far: int, device: torch.device) -> Needed:
        """Of these, sorted."""
        first, last = int(needed[0]), int(needed[-1])
        if last - first < len(needed):
            return cls(first, None, far)
        every = torch.arange(-far, slices + far + 1)
        return cls(first, torch.searchsorted(needed, every).to(device), far)

    def number(self, along: Tensor) -> Tensor:
        """Of places between slices as well."""
        if self.order is None:
            return along - self.first
        low = along.detach().floor()
        return self.order[low.long() + self.far] + (along - low)


@dataclass(frozen=True, eq=False)
class SlicePlan:
    """Indices are of the finest lattice: a pixel covers `ratio` columns and slices."""

    views: Views
    pixels: Pixels
    angles: Tensor  # (B,) radians
    radians: Tensor  # the same where they can be read without waiting for a device
    ratio: int
    slices: Tensor | None  # those of the box that are needed; none: all
    empty: tuple[int, int]  # needed slices before and after the box
    touched: Touched
    fractions: Touched | None  # the same for `grid_sample`, where there is no more to it
    needed: Needed
    size: tuple[int, int]  # columns and needed slices, of images that are looked up
    corner: tuple[int, int] | None  # the first pixel's, where whole steps lead to all others

    @property
    def learns(self) -> bool:
        """Whether a gradient flows to the poses."""
        return self.touched.learns

    @property
    def shape(self) -> torch.Size:
        """Views, rows, columns."""
        return self.pixels.shape

    def places(self, some: slice = EVERYTHING) -> Tensor:
        """Each pixel's column and needed slice (b,k,W,2), in grid_sample's units."""
        if self.fractions is not None:
            return self.fractions.side_by_side(some)
        width, height = self.size
        across, along = self.touched.at(some)
        number = self.needed.number(along)
        return torch.stack((_fraction(across, width), _fraction(number, height)), dim=-1)

    def serves(self, views: Views, pixels: Pixels) -> bool:
        """Whether the same views and the very same pixels are asked for again."""
        if pixels is not self.pixels:
            return False
        if views is self.views:
            return True
        # One comparison of everything: each waits for a device.
        mine, other = _stacked(self.views), _stacked(views)
        return not other.requires_grad and torch.equal(mine, other)


def make_plan(views: Views, pixels: Pixels, grid: Grid, columns: int, reach: int) -> SlicePlan:
    """`reach`: slices beyond the nearest two that the interpolation looks at."""
    device = views.u.device
    here = pixels.to(device)
    ratio = max(1, round(float(views.u.detach().norm(dim=1).mean()) / grid.spacing))
    touched = _touched(views, here, grid, columns, ratio, nudged=reach == 0)
    with torch.no_grad():
        across, along = touched.at()
    needed = _needed(along, grid.shape[0], ratio, reach)
    numbers = Needed.of(needed, grid.shape[0], ratio + NEAR + 1, device)
    empty = int((needed < 0).sum()), int((needed >= grid.shape[0]).sum())
    inside = needed[empty[0] : len(needed) - empty[1]]
    angles = angles_of(views.ray[here.view.reshape(-1)])
    size = columns - ratio + 1, len(needed) - ratio + 1
    return SlicePlan(
        views,
        pixels,
        angles,
        host(angles),
        ratio,
        None if len(inside) == grid.shape[0] else inside.to(device),
        empty,
        touched,
        None
        if touched.learns or numbers.order is not None
        else touched.fractions(*size, numbers.first),
        numbers,
        size,
        None if touched.learns else _corner(across, numbers.number(along), ratio),
    )


def angles_of(rays: Tensor) -> Tensor:
    """Of rays (B,3) about the tilt axis (radians), on their graph for the operator's gradient."""
    return torch.atan2(rays[:, 0], rays[:, 2])


def _stacked(views: Views) -> Tensor:
    return torch.stack((views.ray, views.centre, views.u, views.v))


def _touched(
    views: Views, pixels: Pixels, grid: Grid, columns: int, ratio: int, nudged: bool
) -> Touched:
    """The first column and slice under each pixel of an unmoved detector."""
    begin = pixels.column[..., :1]
    first = Pixels(pixels.view, pixels.row, begin)
    origin = views.rays(first).origin - views.u.new_tensor(grid.centre)
    ray, right = views.ray[pixels.view], views.u[pixels.view]
    steps, slices = (pixels.column - begin).to(origin) / grid.spacing, grid.shape[0]
    start = _beside(origin, ray) / grid.spacing + (columns - ratio) / 2
    top = origin[..., 1] / grid.spacing + (slices - ratio) / 2
    if nudged and (start.requires_grad or top.requires_grad):
        start, top = start + NUDGE, top + NUDGE
    across, along = (start, _beside(right, ray) * steps), (top, right[..., 1] * steps)
    return Touched(across, along, -(ratio + NEAR), slices + NEAR - 1)


def _beside(vectors: Tensor, ray: Tensor) -> Tensor:
    """How far they go across the beam, in a slice."""
    return vectors[..., 0] * ray[..., 2] - vectors[..., 2] * ray[..., 0]


def _needed(along: Tensor, slices: int, ratio: int, reach: int) -> Tensor:
    """Sorted slices that these places touch; those before 0 and after the last are empty.

    Read once, so that what follows from them waits for no device.
    """
    margin = ratio + NEAR + 1 + reach
    touched = torch.zeros(slices + 2 * margin + 1, dtype=torch.bool, device=along.device)
    low = along.floor().long()
    between = (along - low > ALIGNED) | (reach > 0)
    for offset in range(-reach, ratio + 1 + reach):
        index = low + offset + margin
        touched[index if offset < ratio else torch.where(between, index, low + margin)] = True
    touched = touched.cpu()
    if not touched[margin : margin + slices].any():
        touched[margin] = True  # nothing is seen, but a volume is asked for one slice at least
    return touched.nonzero()[:, 0] - margin


def _corner(across: Tensor, along: Tensor, ratio: int) -> tuple[int, int] | None:
    """Where the first pixel lies if nothing is moved or turned: the common case, and exact."""
    row, column = map(round, torch.stack((along[0, 0, 0], across[0, 0, 0])).tolist())
    rows = torch.arange(along.shape[1], device=along.device) * ratio + row
    columns = torch.arange(across.shape[2], device=across.device) * ratio + column
    off = torch.maximum((along - rows[:, None]).abs().max(), (across - columns).abs().max())
    return (row, column) if off <= ALIGNED and min(row, column) >= 0 else None
