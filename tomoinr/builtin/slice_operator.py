"""A(θ): every slice's projections as one cached sparse matrix, differentiable in the angles.

A voxel splats a triangle onto the detector, half as wide as the larger of |cos θ| and |sin θ|:
the voxel's view of Joseph's interpolation, so the numbers are those of ASTRA's `linear`.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from math import ceil, hypot
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tomoinr.geometry import Grid, positions

KEPT = 4  # operators in the cache: of a run's views, of held-out ones, and their turned selves
TOGETHER = 32  # slices in one product: fewer read the matrix too often, more leave a core's cache


class SliceOperator:
    """(channels, slices, z, x) and angles (T,) in radians → (channels, T, slices, columns)."""

    def __init__(self, grid: Grid) -> None:
        _, nz, nx = grid.shape
        # Wide enough for the box at any tilt, and of the images' parity, so that nominal
        # poses fall on whole columns.
        self.columns = nx + 2 * ceil(max(hypot(nz, nx) + 2 - nx, 0) / 2)
        self._grid = grid
        self._cache: OrderedDict[tuple[bytes, bool, torch.device], tuple[Tensor, Tensor]]
        self._cache = OrderedDict()

    def __call__(self, voxels: Tensor, angles: Tensor) -> Tensor:
        """Project every slice at every angle."""
        out: Tensor = _Project.apply(voxels, angles, self)
        return out

    def matrices(self, angles: Tensor, slope: bool = False) -> tuple[Tensor, Tensor]:
        """A (or dA/dθ) and its transpose, in CSR."""
        radians = angles.detach().double().cpu().numpy()
        key = radians.tobytes(), slope, angles.device
        if key not in self._cache:
            matrix = self._build(radians, slope)
            pair = _torch_csr(matrix, angles.device), _torch_csr(matrix.T.tocsr(), angles.device)
            self._cache[key] = pair
            if len(self._cache) > KEPT:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _build(self, radians: np.ndarray, slope: bool) -> sparse.csr_matrix:
        """Rows: (tilt, column); columns: (z, x). Two entries a voxel and tilt."""
        if slope:
            # A central difference: the triangle has kinks, and at zero tilt every voxel sits
            # on one. The outermost voxel moves by a tenth of a pixel.
            delta = 0.1 / (hypot(*self._grid.shape[1:]) / 2)
            ahead, behind = self._build(radians + delta, False), self._build(radians - delta, False)
            return (ahead - behind) * np.float32(0.5 / delta)
        _, nz, nx = self._grid.shape
        x = positions(nx).double().numpy()[None, :]
        z = positions(nz).double().numpy()[:, None]
        blocks = [_tilt(angle, x, z, self.columns) for angle in radians]
        matrix = sparse.vstack(blocks, format="csr", dtype=np.float32)
        return matrix * np.float32(self._grid.spacing)


def _tilt(angle: float, x: np.ndarray, z: np.ndarray, columns: int) -> sparse.csr_matrix:
    """One tilt's rows: the weights of a triangle of unit area."""
    cos, sin = np.cos(angle), np.sin(angle)
    half = max(abs(cos), abs(sin))
    at = (x * cos - z * sin).ravel() + (columns - 1) / 2
    first = np.floor(at)
    far = np.stack((at - first, first + 1 - at))  # from the voxel's shadow to its two pixels
    weight = np.maximum(1 - far / half, 0) / half
    rows = np.stack((first, first + 1)).astype(np.int32)
    voxels = np.broadcast_to(np.arange(at.size, dtype=np.int32), rows.shape)
    entries = weight.ravel(), (rows.ravel(), voxels.ravel())
    return sparse.coo_matrix(entries, shape=(columns, at.size)).tocsr()


def _torch_csr(matrix: sparse.csr_matrix, device: torch.device) -> Tensor:
    matrix.eliminate_zeros()
    parts = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
    crow, column, values = (torch.from_numpy(part) for part in parts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # CSR products are all that is used here
        return torch.sparse_csr_tensor(
            crow, column, values, matrix.shape, device=device, check_invariants=False
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
    def forward(ctx: Any, voxels: Tensor, angles: Tensor, operator: SliceOperator) -> Tensor:
        ctx.operator, ctx.angles, ctx.shape = operator, angles, voxels.shape
        ctx.save_for_backward(*([voxels] if angles.requires_grad else []))
        return _product(
            operator.matrices(angles)[0], _flat(voxels), (len(angles), operator.columns)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (grad,), voxels, angles = grads, None, None
        if ctx.needs_input_grad[0]:
            back = _product(ctx.operator.matrices(ctx.angles)[1], grad, (1, ctx.shape[2:].numel()))
            voxels = back.reshape(ctx.shape)
        if ctx.needs_input_grad[1]:
            slope = ctx.operator.matrices(ctx.angles, slope=True)[0]
            moved = _product(slope, _flat(ctx.saved_tensors[0]), (grad.shape[1], grad.shape[3]))
            angles = moved.mul_(grad).sum((0, 2, 3)).to(ctx.angles.dtype)
        return voxels, angles, None


def _flat(voxels: Tensor) -> Tensor:
    """(channels, slices, z, x) → (channels, 1, slices, z·x)."""
    return voxels.flatten(2)[:, None]
