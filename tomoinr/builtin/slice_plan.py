"""The geometry of one call of the slice projector: which slices, and where pixels fall on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tomoinr.builtin.slice_operator import host
from tomoinr.geometry import Grid, Pixels, Views

# Pixels. Linear interpolation has a kink at every voxel, and nominal poses lie on it: which slope
# they were given would be for rounding to say. All images move alike, so nothing is seen of it.
NUDGE = 1 / 512
NEAR = 4  # slices beyond the box, within which rows keep their distance: blocks' rows do
ALIGNED = 1e-3  # pixels: what float32 makes of half-integers times a spacing


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
    places: Tensor  # (B,k,W,2) each pixel's column and needed slice, in grid_sample's units
    corner: tuple[int, int] | None  # the first pixel's, where whole steps lead to all others

    @property
    def learns(self) -> bool:
        """Whether a gradient flows to the poses."""
        return self.places.requires_grad

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
    across, along = _first_touched(views, here, grid, columns, ratio)
    if reach == 0 and (across.requires_grad or along.requires_grad):
        across, along = across + NUDGE, along + NUDGE
    needed = _needed(along.detach(), grid.shape[0], ratio, reach)
    far = ratio + NEAR + 1
    order = torch.searchsorted(needed, torch.arange(-far, grid.shape[0] + far + 1))
    low = along.detach().floor()
    along = order.to(device)[low.long() + far] + (along - low)
    empty = int((needed < 0).sum()), int((needed >= grid.shape[0]).sum())
    inside = needed[empty[0] : len(needed) - empty[1]]
    angles = angles_of(views.ray[here.view.reshape(-1)])
    corner = _corner(across, along, ratio)
    places = _places(across, along, columns - ratio + 1, len(needed) - ratio + 1)
    if corner is not None:  # no place is looked up: their number alone counts
        places = places.new_zeros(()).expand(places.shape)
    return SlicePlan(
        views,
        pixels,
        angles,
        host(angles),
        ratio,
        None if len(inside) == grid.shape[0] else inside.to(device),
        empty,
        places,
        corner,
    )


def angles_of(rays: Tensor) -> Tensor:
    """Of rays (B,3) about the tilt axis (radians), on their graph for the operator's gradient."""
    return torch.atan2(rays[:, 0], rays[:, 2])


def _stacked(views: Views) -> Tensor:
    return torch.stack((views.ray, views.centre, views.u, views.v))


def _first_touched(
    views: Views, pixels: Pixels, grid: Grid, columns: int, ratio: int
) -> tuple[Tensor, Tensor]:
    """The first column and slice (fractional) under each pixel of an unmoved detector (B,k,W)."""
    origin = views.rays(pixels).origin - views.u.new_tensor(grid.centre)
    ray = views.ray[pixels.view]
    across = (origin[..., 0] * ray[..., 2] - origin[..., 2] * ray[..., 0]) / grid.spacing
    along = origin[..., 1] / grid.spacing
    slices = grid.shape[0]
    # Far outside the box nothing is seen, so places there may be brought nearer.
    along = (along + (slices - ratio) / 2).clamp(-ratio - NEAR, slices + NEAR - 1)
    return across + (columns - ratio) / 2, along


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


def _places(across: Tensor, along: Tensor, width: int, height: int) -> Tensor:
    """Indices as fractions of the image, from -1 at its first edge to 1 at its last."""
    return torch.stack(((2 * across + 1) / width - 1, (2 * along + 1) / height - 1), dim=-1)


def _corner(across: Tensor, along: Tensor, ratio: int) -> tuple[int, int] | None:
    """Where the first pixel lies if nothing is moved or turned: the common case, and exact."""
    if across.requires_grad or along.requires_grad:
        return None
    row, column = map(round, torch.stack((along[0, 0, 0], across[0, 0, 0])).tolist())
    rows = torch.arange(along.shape[1], device=along.device) * ratio + row
    columns = torch.arange(across.shape[2], device=across.device) * ratio + column
    off = torch.maximum((along - rows[:, None]).abs().max(), (across - columns).abs().max())
    return (row, column) if off <= ALIGNED and min(row, column) >= 0 else None
