"""A(θ): every slice's projections by one cached sparse matrix, differentiable in the angles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import ceil, hypot
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.memory import give_back
from tomoinr.builtin.slice_matrices import Shadows, half
from tomoinr.builtin.sparse import Matrix
from tomoinr.geometry import Grid
from tomoinr.team import Team

Make = Callable[[Shadows], Matrix]
KEPT = 4  # matrices in the cache: A, Aᵀ and dA/dθ, or A on either side of these angles
TOGETHER = 16  # slices in one product: fewer read the matrix too often, more leave a core's cache
LANES = 4  # slices: products of their multiples are faster by a fifth


class SliceOperator:
    """(channels, slices, z, x) and angles (T,) in radians → (channels, T, slices, columns)."""

    def __init__(self, grid: Grid) -> None:
        _, nz, nx = grid.shape
        # Wide enough for the box at any tilt, and of the images' parity, so that nominal
        # poses fall on whole columns.
        self.columns = nx + 2 * ceil(max(hypot(nz, nx) + 2 - nx, 0) / 2)
        self._grid = grid
        self._cache: OrderedDict[Any, Matrix] = OrderedDict()

    def __call__(self, voxels: Tensor, angles: Tensor, radians: Tensor | None = None) -> Tensor:
        """Project every slice at every angle; `radians`: the same as `host` gives them."""
        radians = host(angles) if radians is None else radians
        out: Tensor = _Project.apply(voxels, angles, radians, self)
        return out

    def kept(self, make: Make, radians: Tensor, device: torch.device) -> Matrix:
        """One of the matrices; from the cache, if these very angles are in it."""
        key = _key(make, radians, device)
        if key not in self._cache:
            self._keep(key, make(self._shadows(radians.to(device))))
        self._cache.move_to_end(key)
        return self._cache[key]

    def share(self, radians: Tensor, team: Team) -> None:
        """Have A and Aᵀ, on CPUs once for all ranks of a node; all ranks call it together."""
        if team.device.type != "cpu":
            return
        for make in (Shadows.onto_pixels, Shadows.onto_voxels):
            key = _key(make, radians, team.device)
            lacking = torch.tensor(float(key not in self._cache))
            team.sum_([lacking])
            if lacking:
                self._keep(key, team.once_a_node(partial(make, self._shadows(radians))))

    def _shadows(self, radians: Tensor) -> Shadows:
        in_tiles = radians.device.type == "cpu"
        return Shadows(self._grid, radians, self.columns, in_tiles)

    def _keep(self, key: Any, matrix: Matrix) -> None:
        self._cache[key] = matrix
        if len(self._cache) > KEPT:
            self._cache.popitem(last=False)
        give_back()


def _key(make: Make, radians: Tensor, device: torch.device) -> tuple[bytes, Make, torch.device]:
    return radians.numpy().tobytes(), make, device


def host(angles: Tensor) -> Tensor:
    """Angles in double precision where they can be read without waiting for a device."""
    return angles.detach().to("cpu", torch.float64)


class _Project(torch.autograd.Function):
    """y = A(θ) x, with both transposes at hand instead of rebuilt by autograd."""

    @staticmethod
    def forward(
        ctx: Any, voxels: Tensor, angles: Tensor, radians: Tensor, operator: SliceOperator
    ) -> Tensor:
        ctx.operator, ctx.radians, ctx.shape = operator, radians, voxels.shape
        ctx.save_for_backward(*([voxels] if angles.requires_grad else []))
        matrix = operator.kept(Shadows.onto_pixels, radians, voxels.device)
        return _shadow(matrix, voxels.flatten(2), operator.columns)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (grad,), voxels, angles = grads, None, None
        if ctx.needs_input_grad[0]:
            transposed = ctx.operator.kept(Shadows.onto_voxels, ctx.radians, grad.device)
            voxels = _spread(transposed, grad, ctx.shape[2:].numel()).reshape(ctx.shape)
        if ctx.needs_input_grad[1]:
            slope = ctx.operator.kept(Shadows.slope, ctx.radians, grad.device)
            moved = _shadow(slope, ctx.saved_tensors[0].flatten(2), grad.shape[3])
            angles = moved.mul_(grad).sum((0, 2, 3))
        return voxels, angles, None, None


def _shadow(matrix: Matrix, voxels: Tensor, columns: int) -> Tensor:
    """(channels, slices, z·x) → (channels, T, slices, columns)."""
    channels, slices, _ = voxels.shape
    out = voxels.new_empty(channels, matrix.shape[0] // columns, slices, columns)
    together = _together(voxels, slices)
    for source, target in zip(voxels, out, strict=True):
        for some, done in zip(source.split(together), target.split(together, 1), strict=True):
            seen = (matrix @ _halves(some)).unflatten(0, (-1, columns))
            front, back = seen.split(len(some), 2)
            done.copy_((front + back.flip(1)).transpose(1, 2))
    return out


def _halves(slices: Tensor) -> Tensor:
    """(slices, z·x) → (half of z·x, 2 slices): first halves, then the others from their ends."""
    voxels = slices.shape[1]
    some = half(voxels)
    both = torch.cat((slices[:, :some].T, slices[:, voxels - some :].flip(1).T), 1)
    if voxels % 2:
        both[-1, len(slices) :] = 0  # the middle one is in the first half
    return both


def _spread(matrix: Matrix, images: Tensor, voxels: int) -> Tensor:
    """The way back: (channels, T, slices, columns) → (channels, slices, z·x)."""
    channels, _, slices, _ = images.shape
    out = images.new_empty(channels, slices, voxels)
    together = _together(images, slices)
    for source, target in zip(images, out, strict=True):
        for some, done in zip(source.split(together, 1), target.split(together), strict=True):
            _put(matrix @ _both_ways(some), done)
    return out


def _both_ways(images: Tensor) -> Tensor:
    """(T, slices, columns) → (T · columns, 2 slices): as they are, then mirrored."""
    pixels = images.transpose(1, 2)
    return torch.cat((pixels, pixels.flip(1)), 2).flatten(0, 1)


def _put(both: Tensor, slices: Tensor) -> None:
    """(half of z·x, 2 slices) → (slices, z·x): `_halves` undone."""
    count, voxels = slices.shape
    slices[:, : len(both)] = both[:, :count].T
    slices[:, len(both) :] = both[: voxels // 2, count:].flip(0).T


def _together(tensor: Tensor, slices: int) -> int:
    """How many slices go into one product: about the same in each."""
    if tensor.device.type != "cpu":
        return slices
    products = max(1, ceil(slices / TOGETHER))
    return LANES * ceil(slices / products / LANES)
