"""The slice projector's matrices against a loop over voxels, tilts and pixels; their cache."""

import math

import pytest
import torch

from tomoinr.builtin import slice_matrices, slice_operator
from tomoinr.builtin.slice_matrices import Shadows
from tomoinr.builtin.slice_operator import SliceOperator, host
from tomoinr.geometry import Grid
from tomoinr.team import Solo

GRID = Grid((2, 5, 6), 2.5)
ANGLES = torch.deg2rad(torch.tensor([-135.0, -90.0, -60.0, -44.0, 0.0, 10.0, 45.0, 71.0, 90.0]))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts of each matrix, the last one smaller."""
    monkeypatch.setattr(slice_matrices, "ENTRIES", 130)


def by_hand(entry, columns, grid=GRID):
    """(T, columns, z · x), pixel by pixel; `entry` takes x, z, the pixel's place and θ."""
    _, nz, nx = grid.shape
    out = torch.zeros(len(ANGLES), columns, nz, nx, dtype=torch.float64)
    for t, c, i, j in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        z, x, u = i - (nz - 1) / 2, j - (nx - 1) / 2, c - (columns - 1) / 2
        out[t, c, i, j] = entry(x, z, u, float(ANGLES[t]))
    return out.flatten(2)


def shadow(x, z, u, angle):
    """A triangle of unit area around the voxel's place, times the voxel's length."""
    away = abs(x * math.cos(angle) - z * math.sin(angle) - u)
    half = max(abs(math.cos(angle)), abs(math.sin(angle)))
    return max(1 - away / half, 0) / half * GRID.spacing


def slope(x, z, u, angle):
    """The outermost voxel moves by a tenth of a pixel to either side."""
    step = 0.1 / (math.hypot(*GRID.shape[1:]) / 2)
    return (shadow(x, z, u, angle + step) - shadow(x, z, u, angle - step)) / (2 * step)


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 5, 7), (3, 1, 4), (2, 3, 1)])
def test_projections_are_those_of_a_loop(shape, monkeypatch):
    """Half a slice is in the matrices: the other half, and the middle, come from symmetry."""
    monkeypatch.setattr(slice_operator, "TOGETHER", 7)
    grid = Grid(shape, 2.5)
    operator = SliceOperator(grid)
    wanted = by_hand(shadow, operator.columns, grid).float()
    voxels = torch.eye(wanted.shape[2]).reshape(1, -1, *shape[1:]).requires_grad_()
    images = operator(voxels, ANGLES)
    found = images.detach()[0].transpose(1, 2)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    other = torch.rand_like(images)
    (back,) = torch.autograd.grad(images, voxels, other)
    transposed = torch.einsum("tcv,tsc->sv", wanted, other[0])
    torch.testing.assert_close(back[0].flatten(1), transposed, rtol=1e-5, atol=1e-5)


def matrices(operator):
    radians = host(ANGLES)
    makes = Shadows.onto_pixels, Shadows.onto_voxels
    return [operator.kept(make, radians, radians.device) for make in makes]


def test_matrices_are_in_order_and_hold_no_zeros():
    forward, back = matrices(SliceOperator(GRID))
    assert torch.equal(back.to_dense(), forward.to_dense().T)
    for matrix in (forward, back):
        torch._validate_sparse_csr_tensor_args(
            matrix.crow_indices(), matrix.col_indices(), matrix.values(), matrix.shape
        )
        assert (matrix.values() > 0).all()
        assert matrix.col_indices().dtype == matrix.crow_indices().dtype == torch.int32


def test_half_of_each_slice_is_in_a_matrix():
    forward, back = matrices(SliceOperator(GRID))
    assert forward.shape[1] == back.shape[0] == GRID.shape[1] * GRID.shape[2] / 2


def test_ranks_of_a_node_share_what_one_has_made(monkeypatch):
    """The same numbers as one's own; nothing is made while all have them."""
    built = []
    count(monkeypatch, slice_matrices.Shadows, "_csr", built)
    alone = matrices(SliceOperator(GRID))
    operator = SliceOperator(GRID)
    for _ in range(2):
        operator.share(host(ANGLES), Solo())
    assert len(built) == 4
    for mine, shared in zip(alone, matrices(operator), strict=True):
        assert torch.equal(mine.to_dense(), shared.to_dense())
    assert len(built) == 4


def test_gradient_of_the_angles_is_that_of_a_loop():
    operator = SliceOperator(GRID)
    torch.manual_seed(0)
    voxels = torch.rand(2, *GRID.shape)
    angles = ANGLES.clone().requires_grad_()
    images = operator(voxels, angles)
    grad = torch.rand_like(images)
    (found,) = torch.autograd.grad(images, angles, grad)
    turned = by_hand(slope, operator.columns)
    wanted = torch.einsum("tuv,csv,ctsu->t", turned, voxels.flatten(2).double(), grad.double())
    torch.testing.assert_close(found, wanted.float(), rtol=1e-4, atol=1e-4)


def test_only_what_is_used_is_built(monkeypatch):
    """A alone without a gradient; Aᵀ and dA/dθ on the way back, each once."""
    built = []
    for name in ("onto_voxels", "_some_tilts"):
        count(monkeypatch, slice_matrices.Shadows, name, built)
    monkeypatch.setattr(slice_matrices, "ENTRIES", 1 << 17)
    operator = SliceOperator(GRID)
    voxels, angles = torch.rand(1, *GRID.shape, requires_grad=True), ANGLES.clone()
    for _ in range(2):
        with torch.no_grad():
            operator(voxels, angles)
        assert built == ["_some_tilts"]
    for _ in range(2):
        operator(voxels, angles).sum().backward()
        assert built == ["_some_tilts", "onto_voxels"]
    operator(voxels.detach(), angles.requires_grad_()).sum().backward()
    assert built == ["_some_tilts", "onto_voxels", "_some_tilts"]


def count(monkeypatch, owner, name, called):
    original = getattr(owner, name)

    def counted(*args):
        called.append(name)
        return original(*args)

    monkeypatch.setattr(owner, name, counted)


def test_radians_at_hand_are_not_read_again(monkeypatch):
    """So that a call that is repeated need not wait for a device."""
    operator, voxels, radians = SliceOperator(GRID), torch.rand(1, *GRID.shape), host(ANGLES)
    wanted = operator(voxels, ANGLES)
    monkeypatch.setattr(slice_operator, "host", None)
    assert torch.equal(operator(voxels, ANGLES, radians), wanted)


def test_the_cache_is_bounded():
    operator = SliceOperator(GRID)
    for step in range(10):
        operator(torch.rand(1, *GRID.shape), ANGLES + 0.01 * step)
        assert len(operator._cache) <= slice_operator.KEPT
