"""Where everything is: voxels, pixels, poses, rays. All conventions live here.

Right-handed x, y, z in ångström, origin at the centre of the box. The tilt axis is y; the
beam runs along z at zero tilt. Index `i` of `n` sits at `(i - (n - 1) / 2) * spacing`.
Images are [tilt, row (y), column (x)], volumes are [y, z, x]. A specimen point lands at
`u = x cos θ - z sin θ`; the image is then turned by φ (from x towards y) and moved by the shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Shape = tuple[int, int, int]


def positions(n: int, spacing: float = 1.0, index: Tensor | None = None) -> Tensor:
    """Coordinates of the given (or all) indices of an axis of `n` samples, centred on zero."""
    index = torch.arange(n) if index is None else index
    return (index - (n - 1) / 2) * spacing


@dataclass(frozen=True)
class Grid:
    """A lattice of cubic voxels: [y, z, x] shape, spacing in Å, centre (x, y, z) in Å."""

    shape: Shape
    spacing: float = 1.0
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def extent(self) -> tuple[float, float, float]:
        """Edge lengths of the box along x, y, z, in Å."""
        y, z, x = self.shape
        return x * self.spacing, y * self.spacing, z * self.spacing

    def finer(self, factor: int) -> Grid:
        """The same box in voxels `factor` times smaller."""
        y, z, x = self.shape
        return Grid((y * factor, z * factor, x * factor), self.spacing / factor, self.centre)

    def points(self, slices: Tensor | None = None, device: torch.device | None = None) -> Tensor:
        """Voxel centres of some (or all) slices: (slices, z, x, 3), in Å, ordered (x, y, z)."""
        x, y, z = self.centre
        axes = zip(self.shape, (slices, None, None), (y, z, x), strict=True)
        at = [positions(n, self.spacing, i).to(device, torch.float32) + c for n, i, c in axes]
        yy, zz, xx = torch.meshgrid(at, indexing="ij")
        return torch.stack((xx, yy, zz), dim=-1)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Which pixels: three index tensors that broadcast (rays: (N,); rows: see `rows`)."""

    view: Tensor
    row: Tensor
    column: Tensor

    @classmethod
    def rows(cls, shape: Shape, rows: Tensor | None = None, views: Tensor | None = None) -> Pixels:
        """Whole detector rows of some (or all) views: view (B,1,1), row (1,k,1), column (1,1,W)."""
        views = torch.arange(shape[0]) if views is None else views
        rows = torch.arange(shape[1]) if rows is None else rows
        columns = torch.arange(shape[2], device=rows.device)
        return cls(views.to(rows.device)[:, None, None], rows[None, :, None], columns[None, None])

    @property
    def shape(self) -> torch.Size:
        """The shape of values at these pixels."""
        return torch.broadcast_shapes(self.view.shape, self.row.shape, self.column.shape)

    def __len__(self) -> int:
        """How many units can be shared out: rays, or detector rows."""
        return self.row.numel()

    def part(self, units: slice) -> Pixels:
        """Some of the rays (or rows): a rank's share of a batch."""
        if self.row.dim() == 1:
            return Pixels(self.view[units], self.row[units], self.column[units])
        return Pixels(self.view, self.row[:, units], self.column)

    def to(self, device: torch.device) -> Pixels:
        """The same pixels on another device."""
        return Pixels(self.view.to(device), self.row.to(device), self.column.to(device))


class Angles(NamedTuple):
    """Poses as people read them: degrees and Å, one value a tilt."""

    tilt: Tensor
    rotation: Tensor
    out_of_plane: Tensor
    dx: Tensor
    dy: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Poses:
    """How the specimen stood in each image: rotation (T,3,3), then shift (T,2) in Å.

    `beam`: the rotation's last row, where that follows from less than the other two: what is known
    not to depend on what is learned costs no gradient.
    """

    rotation: Tensor
    shift: Tensor
    beam: Tensor | None = None

    def __repr__(self) -> str:
        tilt = self.angles().tilt.detach()
        return f"Poses({len(tilt)} tilts, {float(tilt.min()):.4g}° to {float(tilt.max()):.4g}°)"

    @classmethod
    def of(
        cls,
        tilt: Tensor,
        rotation: Tensor | float = 0.0,
        out_of_plane: Tensor | float = 0.0,
        shift: Tensor | None = None,
    ) -> Poses:
        """From angles in degrees (T,) and shifts in Å (T,2): R = Rz(rotation) Rx(out) Ry(tilt)."""
        rotation = torch.as_tensor(rotation, dtype=tilt.dtype, device=tilt.device).expand_as(tilt)
        out = torch.as_tensor(out_of_plane, dtype=tilt.dtype, device=tilt.device).expand_as(tilt)
        matrix = turn_z(rotation) @ turn_x(out) @ turn_y(tilt)
        return cls(matrix, tilt.new_zeros(len(tilt), 2) if shift is None else shift)

    def angles(self) -> Angles:
        """Tilt, in-plane rotation, out-of-plane angle (degrees) and shifts (Å)."""
        r = self.rotation
        tilt = torch.atan2(r[:, 2, 0], r[:, 2, 2])
        out = torch.asin(r[:, 2, 1].clamp(-1, 1))
        rotation = torch.atan2(-r[:, 0, 1], r[:, 1, 1])
        tilt, rotation, out = map(torch.rad2deg, (tilt, rotation, out))
        return Angles(tilt, rotation, out, self.shift[:, 0], self.shift[:, 1])

    def some(self, index: Tensor | list[int]) -> Poses:
        """Those of some images."""
        beam = None if self.beam is None else self.beam[index]
        return Poses(self.rotation[index], self.shift[index], beam)

    def turned(self, degrees: Tensor) -> Poses:
        """Every image turned about its middle: rays stay as they are."""
        beam = self.rotation[:, 2] if self.beam is None else self.beam
        return Poses(turn_z(degrees) @ self.rotation, self.shift, beam)

    def moved(self, dx: float, dy: float, rotation: float, tilt: float = 0.0) -> Poses:
        """Every image shifted (Å), turned about its middle and tilted (degrees) a little more."""
        flat, steep = (torch.full_like(self.shift[:, 0], angle) for angle in (rotation, tilt))
        turned = turn_z(flat) @ self.rotation @ turn_y(steep)
        return Poses(turned, self.shift + self.shift.new_tensor((dx, dy)))

    def to(self, device: torch.device | str) -> Poses:
        """The same poses on another device, cut from any graph."""
        return Poses(self.rotation.detach().to(device), self.shift.detach().to(device))


def _matrix(rows: tuple[tuple[Tensor, ...], ...]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _sin_cos(degrees: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a = torch.deg2rad(degrees)
    return a.sin(), a.cos(), torch.zeros_like(a), torch.ones_like(a)


def turn_x(degrees: Tensor) -> Tensor:
    """The axis leaves the detector plane: from y towards z, (T,3,3)."""
    s, c, o, i = _sin_cos(degrees)
    return _matrix(((i, o, o), (o, c, -s), (o, s, c)))


def turn_y(degrees: Tensor) -> Tensor:
    """The tilt itself: u = x cos θ - z sin θ, (T,3,3)."""
    s, c, o, i = _sin_cos(degrees)
    return _matrix(((c, o, -s), (o, i, o), (s, o, c)))


def turn_z(degrees: Tensor) -> Tensor:
    """In the detector plane: from x towards y, (T,3,3)."""
    s, c, o, i = _sin_cos(degrees)
    return _matrix(((c, -s, o), (s, c, o), (o, o, i)))


@dataclass(frozen=True, eq=False)
class Rays:
    """Straight lines through the specimen: origin (...,3) in Å, unit direction (...,3)."""

    origin: Tensor
    direction: Tensor


@dataclass(frozen=True, eq=False)
class Views:
    """Every image as twelve numbers (ASTRA's `parallel3d_vec`): pose models end here.

    `ray`: unit beam direction; `centre`: detector centre; `u`, `v`: one step along a row and
    along a column. All (T,3), in specimen coordinates, Å. `shape` is (tilts, rows, columns).
    """

    shape: Shape
    ray: Tensor
    centre: Tensor
    u: Tensor
    v: Tensor

    def rays(self, pixels: Pixels) -> Rays:
        """The lines that end in these pixels."""
        _, rows, columns = self.shape
        across = positions(columns, index=pixels.column)[..., None].to(self.u.dtype)
        along = positions(rows, index=pixels.row)[..., None].to(self.u.dtype)
        t = pixels.view
        origin = self.centre[t] + across * self.u[t] + along * self.v[t]
        return Rays(origin, self.ray[t].expand_as(origin))


def place(poses: Poses, shape: Shape, spacing: float) -> Views:
    """Poses and a detector of square pixels (Å) → where each image's pixels are."""
    across, along, ray = poses.rotation.unbind(1)
    ray = ray if poses.beam is None else poses.beam
    dx, dy = poses.shift[:, :1], poses.shift[:, 1:]
    return Views(shape, ray, -(dx * across + dy * along), across * spacing, along * spacing)
