"""Linear maps a few slices at a time: the same numbers, and nothing as large as the volume."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tomoinr import TiltSeries
from tomoinr.builtin import blocks, sirt
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.linear import LinearMap
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.sirt import Inverse, Sirt
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo

ROWS, COLUMNS = 24, 6
ANGLES = torch.tensor([-50.0, 0.0, 35.0])


def problem(moved=True, finer=1, channels=1, warp="bilinear"):
    torch.manual_seed(1)
    grid = Grid((ROWS, COLUMNS, COLUMNS), 2.0).finer(finer)
    turn, shift = 6 * moved * torch.linspace(-1, 1, 3), 3 * moved * torch.rand(3, 2)
    images = torch.rand(channels, 3, ROWS, COLUMNS)
    series = TiltSeries(images, ANGLES, 2.0, tuple(f"map {c}" for c in range(channels)))
    poses = Fixed(NoOptions(), Poses.of(ANGLES, turn, shift=shift), grid)
    projector = Slices(Slices.Options(warp=warp), grid)
    return Problem(series, grid, Voxels(Voxels.Options(), grid, channels), poses, projector)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(blocks, "SLICES", 5)
    monkeypatch.setattr(blocks, "VOXELS", 1)
    monkeypatch.setattr(blocks, "PORTION", 2 * COLUMNS**2 // torch.get_num_threads())


@pytest.mark.parametrize("warp", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("moved", "finer", "channels"), [(0, 1, 1), (1, 1, 2), (0, 2, 1), (1, 2, 1)]
)
def test_blocks_make_up_the_whole(moved, finer, channels, warp, small):
    posed = problem(moved, finer, channels, warp)
    voxels = torch.rand_like(posed.volume.values)
    posed.volume.values.data = voxels
    wanted = posed.predict()
    other = torch.rand_like(wanted)
    (wanted_back,) = torch.autograd.grad(wanted, posed.volume.values, other)
    matrix = LinearMap(posed, Solo())
    parts = [part for part, _ in matrix.adjoints(other)]
    assert len(parts) == -(-ROWS * finer // 5)
    assert torch.allclose(matrix.forward(voxels), wanted, rtol=1e-4, atol=1e-5)
    assert torch.allclose(matrix.adjoint(other), wanted_back, rtol=1e-4, atol=1e-5)
    assert torch.allclose(matrix.residual(voxels), wanted - posed.series.images, atol=1e-4)


def test_rows_of_images_in_place_are_cut_out_not_interpolated(small):
    for block in LinearMap(problem(moved=False), Solo())._blocks:
        assert block._problem.projector._last.corner is not None


def test_what_does_not_fall_apart_is_one_block(small):
    posed = problem()
    along_rays = replace(posed, projector=Quadrature(Quadrature.Options(), posed.grid))
    assert [part for part, _ in LinearMap(along_rays, Solo()).adjoints(posed.series.images)] == [
        slice(0, ROWS)
    ]


def test_slices_that_no_row_sees_stay_empty(small):
    """Images moved so far that the last slices are outside all of them."""
    posed = problem(moved=False)
    shift = torch.tensor([0.0, 2.0 * 12]).expand(3, 2)
    far = replace(posed, poses=Fixed(NoOptions(), Poses.of(ANGLES, shift=shift), posed.grid))
    matrix = LinearMap(far, Solo())
    back = matrix.adjoint(torch.ones_like(posed.series.images))
    lit = back.abs().sum((0, 2, 3)) > 0
    assert 10 <= int(lit.sum()) <= 13
    assert any(block.rows == slice(0, 0) for block in matrix._blocks)


@pytest.mark.parametrize("kind", [Sirt, Tv])
def test_steps_make_nothing_as_large_as_the_volume(kind, small):
    posed = problem()
    solver = kind(kind.Options())
    state = solver.init(posed, Solo())
    with New() as made:
        solver.step(posed, state, Solo())
    assert made.sizes and max(made.sizes) < posed.volume.values.nbytes


class New(TorchDispatchMode):
    """Notes the sizes of what is allocated, in bytes."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {t.untyped_storage().data_ptr() for t in tensors((args, kwargs))}
        out = function(*args, **(kwargs or {}))
        new = [t.untyped_storage() for t in tensors(out)]
        self.sizes += [s.nbytes() for s in new if s.data_ptr() not in given]
        return out


def tensors(tree):
    leaves = tree_leaves(tree)
    return [t for t in leaves if isinstance(t, torch.Tensor) and t.layout == torch.strided]


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("moved", [True, False])
def test_sirt_is_what_its_formula_says(moved, large, small, monkeypatch):
    """In double precision, as one matrix; sums that are alike are kept once, or else in 16 bits."""
    posed, steps = problem(moved), 15
    monkeypatch.setattr(sirt, "LARGE", posed.volume.values.numel() + 1 - large)
    voxels = torch.eye(posed.grid.shape[0] * COLUMNS**2).reshape(-1, 1, *posed.grid.shape)
    columns = []
    for one in voxels:
        posed.volume.values.data = one
        columns.append(posed.predict().detach().flatten())
    a = torch.stack(columns, 1).double()
    rows, seen = a.sum(1), a.sum(0)
    b, x = posed.series.images.flatten().double(), torch.zeros_like(seen)
    for _ in range(steps):
        residual = torch.where(rows > 1e-6, (b - a @ x) / rows, 0)
        x = (x + torch.where(seen > 1e-5, a.T @ residual / seen, 0)).clamp(min=0)
    posed.volume.values.data = torch.zeros(1, *posed.grid.shape)
    solver = Sirt(Sirt.Options(steps=steps))
    state = solver.init(posed, Solo())
    for _ in range(steps):
        solver.step(posed, state, Solo())
    found = posed.volume.values.data.flatten()
    assert float((found - x).norm() / x.norm()) < (3e-4 if moved and large else 1e-5)
    columns = sum(part.values.untyped_storage().nbytes() for part in state.columns)
    rows, images = state.rows.values.untyped_storage().nbytes(), posed.series.images
    less = 2 if large else 1
    assert columns == (posed.volume.values.nbytes / less if moved else 5 * 4 * COLUMNS**2)
    assert rows == (images.nbytes / less if moved else images[:, :, 0].nbytes)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e9])
def test_inverse_sums_in_16_bits_keep_their_digits(unit):
    """Whatever the unit, and though some are a million times as large as others."""
    sums = torch.logspace(-5.9, 0, 60).reshape(1, 3, 4, 5) * unit
    sums[0, 0, 0, 0] = 0
    found = Inverse.of(sums.clone(), 1, short=True)
    inverse, wanted = found.values.double() * found.unit, 1 / sums.double()
    assert found.values.dtype == torch.float16 and inverse[0, 0, 0, 0] == 0
    assert float((inverse / wanted - 1).flatten()[1:].abs().max()) < 5e-4


def test_inverse_sums_that_are_alike_keep_all_their_digits():
    sums = torch.rand(1, 1, 4, 5).expand(1, 3, 4, 5).clone()
    found = Inverse.of(sums.clone(), 1, short=True)
    assert torch.equal(found.values * found.unit, 1 / sums)
