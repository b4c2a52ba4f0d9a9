"""The slice projector's matrices against a loop over voxels, tilts and pixels; their cache."""

import math

import pytest
import torch

from tomoinr.builtin import slice_matrices, slice_operator, sparse
from tomoinr.builtin.slice_matrices import Shadows
from tomoinr.builtin.slice_operator import SliceOperator, host
from tomoinr.geometry import Grid
from tomoinr.team import Solo
from tomoinr.teams.sharing import packed, unpacked

GRID = Grid((2, 5, 6), 2.5)
ANGLES = torch.deg2rad(torch.tensor([-135.0, -90.0, -60.0, -44.0, 0.0, 10.0, 45.0, 71.0, 90.0]))


SMALL = {"ENTRIES": 60, "TILE": 50, "VOXELS": 6, "PIXELS": 40}
LARGE = {name: getattr(slice_matrices, name) for name in SMALL}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts of each matrix, and tiles beside one another."""
    for name, most in SMALL.items():
        monkeypatch.setattr(slice_matrices, name, most)


@pytest.fixture
def as_they_are(small_parts, monkeypatch):
    """Parts of small matrices are whole."""
    for name, most in LARGE.items():
        monkeypatch.setattr(slice_matrices, name, most)


@pytest.fixture
def narrow(monkeypatch):
    """Even small matrices are kept in 16 bits."""
    monkeypatch.setattr(slice_matrices, "NARROW", 0)


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


SHAPES = pytest.mark.parametrize("shape", [(2, 5, 6), (2, 5, 7), (3, 1, 4), (2, 3, 1)])


@SHAPES
def test_projections_are_those_of_a_loop(shape, monkeypatch):
    """Half a slice is in the matrices: the other half, and the middle, come from symmetry."""
    compare_with_loop(shape, monkeypatch, 1e-6)


@SHAPES
def test_in_16_bits_they_are_off_by_little(shape, monkeypatch, narrow):
    compare_with_loop(shape, monkeypatch, 1e-5 * math.sqrt(2) * GRID.spacing)


def compare_with_loop(shape, monkeypatch, bound):
    monkeypatch.setattr(slice_operator, "TOGETHER", 7)
    grid = Grid(shape, 2.5)
    operator = SliceOperator(grid)
    wanted = by_hand(shadow, operator.columns, grid).float()
    voxels = torch.eye(wanted.shape[2]).reshape(1, -1, *shape[1:]).requires_grad_()
    images = operator(voxels, ANGLES)
    found = images.detach()[0].transpose(1, 2)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=bound)
    other = torch.rand_like(images)
    (back,) = torch.autograd.grad(images, voxels, other)
    transposed = torch.einsum("tcv,tsc->sv", wanted, other[0])
    torch.testing.assert_close(back[0].flatten(1), transposed, rtol=1e-5, atol=10 * bound)


def matrices(operator):
    radians = host(ANGLES)
    makes = Shadows.onto_pixels, Shadows.onto_voxels
    return [operator.kept(make, radians, radians.device) for make in makes]


def plain(grid=GRID, angles=ANGLES):
    """A and Aᵀ as devices other than CPUs have them."""
    shadows = Shadows(grid, host(angles), SliceOperator(grid).columns, False)
    return shadows.onto_pixels(), shadows.onto_voxels()


def dense(tiles):
    return tiles @ torch.eye(tiles.shape[1])


def test_plain_matrices_are_in_order_and_hold_no_zeros():
    forward, back = plain()
    assert torch.equal(back.to_dense(), forward.to_dense().T)
    for matrix in (forward, back):
        torch._validate_sparse_csr_tensor_args(
            matrix.crow_indices(), matrix.col_indices(), matrix.values(), matrix.shape
        )
        assert (matrix.values() > 0).all()
        assert matrix.col_indices().dtype == matrix.crow_indices().dtype == torch.int32


def test_a_small_matrix_is_one_plain_tile():
    for tiles, matrix in zip(matrices(SliceOperator(GRID)), plain(), strict=True):
        assert len(tiles.tiles) == 1
        assert torch.equal(dense(tiles), matrix.to_dense())


def test_tiles_in_16_bits_are_the_plain_matrix_to_half_a_step(narrow):
    """Half as large, but for where rows start; and forward and back round alike."""
    forward, back = matrices(SliceOperator(GRID))
    assert torch.equal(dense(back), dense(forward).T)
    for tiles, matrix in zip((forward, back), plain(), strict=True):
        values = matrix.values()
        assert values.max() <= tiles.scale * sparse.STEPS
        off = (dense(tiles) - matrix.to_dense()).abs().max()
        assert off < 0.501 * tiles.scale < 1e-5 * values.max()
        kept = sum(tile.columns.nbytes + tile.values.nbytes for tile in tiles.tiles)
        assert kept == 4 * len(values)
        assert len({tile.left for tile in tiles.tiles}) > 1 < len({t.top for t in tiles.tiles})


@pytest.mark.parametrize("shape, tilts", [((1, 400, 400), 2), ((1, 1, 400), 200)])
def test_large_matrices_need_no_more_than_16_bits(shape, tilts, as_they_are, narrow):
    """Of the columns of A, and of Aᵀ, there are more than 65536."""
    grid, angles = Grid(shape), torch.linspace(-1, 1, tilts)
    shadows = Shadows(grid, host(angles), SliceOperator(grid).columns, True)
    tiled = shadows.onto_pixels(), shadows.onto_voxels()
    assert max(matrix.shape[1] for matrix in tiled) > 1 << 16
    for tiles, matrix in zip(tiled, plain(grid, angles), strict=True):
        some = torch.rand(matrix.shape[1], 3)
        torch.testing.assert_close(tiles @ some, matrix @ some, rtol=1e-4, atol=1e-4)


def test_tiles_are_shared_through_a_file(narrow):
    for tiles in matrices(SliceOperator(GRID)):
        file = packed(tiles)
        try:
            assert torch.equal(dense(unpacked(file)), dense(tiles))
        finally:
            file.unlink()


def test_half_of_each_slice_is_in_a_matrix():
    forward, back = matrices(SliceOperator(GRID))
    assert forward.shape[1] == back.shape[0] == GRID.shape[1] * GRID.shape[2] / 2


def test_ranks_of_a_node_share_what_one_has_made(monkeypatch):
    """The same numbers as one's own; nothing is made while all have them."""
    built = []
    count(monkeypatch, slice_matrices.Shadows, "_matrix", built)
    alone = matrices(SliceOperator(GRID))
    operator = SliceOperator(GRID)
    for _ in range(2):
        operator.share(host(ANGLES), Solo())
    assert len(built) == 4
    for mine, shared in zip(alone, matrices(operator), strict=True):
        assert torch.equal(dense(mine), dense(shared))
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


def test_only_what_is_used_is_built(as_they_are, monkeypatch):
    """A alone without a gradient; Aᵀ and dA/dθ on the way back, each once."""
    built = []
    for name in ("onto_voxels", "_some_tilts"):
        count(monkeypatch, slice_matrices.Shadows, name, built)
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
