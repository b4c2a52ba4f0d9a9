"""A(θ): every slice's projections as one cached sparse matrix, differentiable in the angles.

A voxel splats a triangle onto the detector, half as wide as the larger of |cos θ| and |sin θ|:
the voxel's view of Joseph's interpolation, so the numbers are those of ASTRA's `linear`.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from math import ceil, hypot
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.builtin.memory import give_back
from tomoinr.geometry import Grid, positions

KEPT = 6  # matrices in the cache: A, Aᵀ and dA/dθ, of a run's views and of held-out ones
TOGETHER = 32  # slices in one product: fewer read the matrix too often, more leave a core's cache
ENTRIES = 1 << 17  # of a matrix, worked out at a time: what that takes stays small


class SliceOperator:
    """(channels, slices, z, x) and angles (T,) in radians → (channels, T, slices, columns)."""

    def __init__(self, grid: Grid) -> None:
        _, nz, nx = grid.shape
        # Wide enough for the box at any tilt, and of the images' parity, so that nominal
        # poses fall on whole columns.
        self.columns = nx + 2 * ceil(max(hypot(nz, nx) + 2 - nx, 0) / 2)
        self._grid = grid
        self._cache: OrderedDict[Any, Tensor] = OrderedDict()

    def __call__(self, voxels: Tensor, angles: Tensor, radians: Tensor | None = None) -> Tensor:
        """Project every slice at every angle; `radians`: the same as `host` gives them."""
        radians = host(angles) if radians is None else radians
        out: Tensor = _Project.apply(voxels, angles, radians, self)
        return out

    def matrices(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        """A and its transpose, in CSR."""
        radians, device = host(angles), angles.device
        forward = self.kept(_Shadows.onto_pixels, radians, device)
        return forward, self.kept(_Shadows.onto_voxels, radians, device)

    def kept(
        self, make: Callable[[_Shadows], Tensor], radians: Tensor, device: torch.device
    ) -> Tensor:
        """One of the matrices; from the cache, if these very angles are in it."""
        key = radians.numpy().tobytes(), make, device
        if key not in self._cache:
            self._cache[key] = make(_Shadows(self._grid, radians.to(device), self.columns))
            give_back()
            if len(self._cache) > KEPT:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]


def host(angles: Tensor) -> Tensor:
    """Angles in double precision where they can be read without waiting for a device."""
    return angles.detach().to("cpu", torch.float64)


class _Part(NamedTuple):
    """Some rows of a matrix: entries a row, the column and the value of each entry."""

    counts: Tensor
    columns: Tensor
    values: Tensor


class _Shadows:
    """Where the voxels of a slice fall on a row of `columns` pixels, at angles (T,) (float64)."""

    def __init__(self, grid: Grid, radians: Tensor, columns: int) -> None:
        _, nz, nx = grid.shape
        x, z = (positions(n).to(radians) for n in (nx, nz))
        self._x, self._z = x.repeat(nz), z.repeat_interleave(nx)
        self._radians, self._columns, self._spacing = radians, columns, grid.spacing
        # A central difference: the triangle has kinks, and at zero tilt every voxel sits
        # on one. The outermost voxel moves by a tenth of a pixel.
        self._delta = 0.1 / (hypot(nz, nx) / 2)

    def onto_pixels(self, slope: bool = False) -> Tensor:
        """A. Rows: (tilt, column); columns: (z, x)."""
        tilts = max(1, ENTRIES // (2 * len(self._x)))
        parts = [self._some_tilts(some, slope) for some in self._radians.split(tilts)]
        return _csr(parts, len(self._x))

    def slope(self) -> Tensor:
        """dA/dθ, in the same order."""
        return self.onto_pixels(slope=True)

    def onto_voxels(self) -> Tensor:
        """Aᵀ: as they come, the entries of a voxel are in order."""
        voxels = max(1, ENTRIES // (2 * len(self._radians)))
        places = zip(self._x.split(voxels), self._z.split(voxels), strict=True)
        parts = [self._some_voxels(x, z) for x, z in places]
        return _csr(parts, len(self._radians) * self._columns)

    def _some_tilts(self, radians: Tensor, slope: bool) -> _Part:
        pixels, weights = self._entries(self._x, self._z, radians[:, None], slope)
        pixels += self._columns * torch.arange(len(radians), device=pixels.device)[:, None, None]
        kept = weights.flatten().nonzero()[:, 0]
        rows, order = pixels.flatten().index_select(0, kept).sort(stable=True)
        kept = kept.index_select(0, order)
        counts = rows.bincount(minlength=len(radians) * self._columns)
        voxels = kept // pixels.shape[-1] % len(self._x)
        return _Part(counts, voxels.int(), weights.flatten().index_select(0, kept))

    def _some_voxels(self, x: Tensor, z: Tensor) -> _Part:
        pixels, weights = self._entries(x[:, None], z[:, None], self._radians)
        pixels += self._columns * torch.arange(len(self._radians), device=x.device)[:, None]
        kept = weights.flatten().nonzero()[:, 0]
        columns, values = (t.flatten().index_select(0, kept) for t in (pixels, weights))
        return _Part(weights.flatten(1).count_nonzero(1), columns, values)

    def _entries(
        self, x: Tensor, z: Tensor, radians: Tensor, slope: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The pixels near each shadow (..., 2 or 4), and the weight of each."""
        near = torch.arange(-1, 3) if slope else torch.arange(2)
        pixels = self._centre(x, z, radians).floor()[..., None] + near.to(radians)
        if slope:
            ahead = self._weights(x, z, radians + self._delta, pixels)
            behind = self._weights(x, z, radians - self._delta, pixels)
            weights = (ahead - behind) * (0.5 / self._delta)
        else:
            weights = self._weights(x, z, radians, pixels)
        return pixels.int(), weights.float()

    def _weights(self, x: Tensor, z: Tensor, radians: Tensor, pixels: Tensor) -> Tensor:
        """Of a triangle of unit area, times the length of a voxel."""
        half = torch.maximum(radians.cos().abs(), radians.sin().abs())[..., None]
        away = (pixels - self._centre(x, z, radians)[..., None]).abs()
        return (1 - away / half).clamp(min=0) * (self._spacing / half)

    def _centre(self, x: Tensor, z: Tensor, radians: Tensor) -> Tensor:
        """Of each shadow, in pixels."""
        return x * radians.cos() - z * radians.sin() + (self._columns - 1) / 2


def _csr(parts: list[_Part], width: int) -> Tensor:
    """One matrix of all parts, with indices of 32 bits."""
    counts, columns, values = (torch.cat(some) for some in zip(*parts, strict=True))
    rows = torch.cat((counts.new_zeros(1), counts.cumsum(0))).int()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # CSR products are all that is used here
        return torch.sparse_csr_tensor(
            rows, columns, values, (len(counts), width), check_invariants=False
        )


def _product(matrix: Tensor, images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The matrix times every slice of (channels, H, slices, W): `shape` is (H', W') after it."""
    channels, _, slices, _ = images.shape
    out = images.new_empty(channels, shape[0], slices, shape[1])
    together = TOGETHER if images.device.type == "cpu" else slices
    for source, target in zip(images, out, strict=True):
        for some, done in zip(source.split(together, 1), target.split(together, 1), strict=True):
            columns = some.transpose(1, 2).reshape(-1, some.shape[1]).contiguous()
            done.copy_((matrix @ columns).reshape(*shape, -1).transpose(1, 2))
    return out


class _Project(torch.autograd.Function):
    """y = A(θ) x, with both transposes at hand instead of rebuilt by autograd."""

    @staticmethod
    def forward(
        ctx: Any, voxels: Tensor, angles: Tensor, radians: Tensor, operator: SliceOperator
    ) -> Tensor:
        ctx.operator, ctx.radians, ctx.shape = operator, radians, voxels.shape
        ctx.save_for_backward(*([voxels] if angles.requires_grad else []))
        matrix = operator.kept(_Shadows.onto_pixels, radians, voxels.device)
        return _product(matrix, _flat(voxels), (len(radians), operator.columns))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (grad,), voxels, angles = grads, None, None
        if ctx.needs_input_grad[0]:
            transposed = ctx.operator.kept(_Shadows.onto_voxels, ctx.radians, grad.device)
            back = _product(transposed, grad, (1, ctx.shape[2:].numel()))
            voxels = back.reshape(ctx.shape)
        if ctx.needs_input_grad[1]:
            slope = ctx.operator.kept(_Shadows.slope, ctx.radians, grad.device)
            moved = _product(slope, _flat(ctx.saved_tensors[0]), (grad.shape[1], grad.shape[3]))
            angles = moved.mul_(grad).sum((0, 2, 3))
        return voxels, angles, None, None


def _flat(voxels: Tensor) -> Tensor:
    """(channels, slices, z, x) → (channels, 1, slices, z·x)."""
    return voxels.flatten(2)[:, None]
