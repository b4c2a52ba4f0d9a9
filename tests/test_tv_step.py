"""Total variation's step, slab by slab and in place, against its formulas written out."""

import pytest
import torch

from tomoinr import TiltSeries
from tomoinr.builtin import blocks, edges, slice_operator, slices
from tomoinr.builtin.edges import divergence, gradient
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TOGETHER, TvState
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo

FINE = Grid((6, 6, 8), 1.0)  # two voxels along a pixel's edge
ANGLES = torch.tensor([-50.0, -10.0, 0.0, 35.0, 60.0])


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    """Several portions, the last one smaller, even here."""
    monkeypatch.setattr(blocks, "PORTION", 4 * 6 * 8 // torch.get_num_threads())
    monkeypatch.setattr(slice_operator, "TOGETHER", 4)
    monkeypatch.setattr(slices, "PIXELS_TOGETHER", 2 * 3 * 4)
    monkeypatch.setattr(edges, "NARROW", torch.float32)
    monkeypatch.setattr(blocks, "SLICES", 4)
    monkeypatch.setattr(blocks, "VOXELS", 1)


def problem(moved=True, channels=1, warp="bicubic"):
    turn, shift = torch.linspace(-4, 3, 5) * moved, torch.linspace(-3, 2, 10).reshape(5, 2) * moved
    images = torch.rand(channels, 5, 3, 4)
    names = tuple(f"map {c}" for c in range(channels))
    series = TiltSeries(images, ANGLES, 2.0, names)
    nominal = Poses.of(ANGLES, turn, shift=shift)
    projector = Slices(Slices.Options(warp=warp), FINE)
    volume = Voxels(Voxels.Options(), FINE, channels)
    return Problem(series, FINE, volume, Fixed(NoOptions(), nominal, FINE), projector)


def dense(posed):
    """A in the units of total variation, column by column."""
    values = posed.volume.values
    kept, columns = values.data.clone(), []
    for index in range(values[0].numel()):
        values.data = torch.zeros_like(kept)
        values.data[0].view(-1)[index] = 1
        columns.append(posed.predict().detach()[0].flatten() / posed.series.pixel_size)
    values.data = kept
    return torch.stack(columns, 1).double()


def slopes(x):
    """Forward differences along y, z, x of (y, z, x), voxel by voxel."""
    out = torch.zeros(3, *x.shape, dtype=torch.float64)
    for y, z, u in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        for axis, (b, c, d) in enumerate(((y + 1, z, u), (y, z + 1, u), (y, z, u + 1))):
            if b < x.shape[0] and c < x.shape[1] and d < x.shape[2]:
                out[axis, y, z, u] = x[b, c, d] - x[y, z, u]
    return out


def slopes_transposed(edges):
    """Every edge pulls one voxel up and another down."""
    out = torch.zeros(edges.shape[1:], dtype=torch.float64)
    for y, z, u in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        for axis, (b, c, d) in enumerate(((y + 1, z, u), (y, z + 1, u), (y, z, u + 1))):
            if b < out.shape[0] and c < out.shape[1] and d < out.shape[2]:
                out[b, c, d] += edges[axis, y, z, u]
                out[y, z, u] -= edges[axis, y, z, u]
    return out


def proximal(state, data, residual):
    """The data's dual after its step, by its definition: ramp or weights."""
    if state.weights is not None:
        rows, weights = state._rows[0].double(), state.weights[0].double()
        return (data + rows * residual) / (1 + rows / weights)
    ramp = state._ramp.double()
    spectrum = torch.fft.rfft(data) + ramp * torch.fft.rfft(residual)
    return torch.fft.irfft(spectrum / (1 + ramp), n=data.shape[-1])


def steps_of_voxels(state):
    """The primal step of each voxel: the same for a few along z."""
    if state.primal_step is None:
        return 1.0
    each = state.primal_step[0].double().repeat_interleave(TOGETHER, 1)
    return each[:, : state.point.shape[2]]


def written_out(state, matrix, steps, positive):
    """The iteration in double precision, whole arrays at a time: (x, data, edges, loss)."""
    x, data, edges = state.point, state.tensors["data"], state.tensors["edges"]
    strength, tau = float(state.strength), state.primal_unit * steps_of_voxels(state)
    x, data, edges = x[0].double(), data[0].double(), strength * edges[:, 0].double()
    b = state.map.data[0].double()
    for step in range(1, steps + 1):
        residual, edge_length = (matrix @ x.flatten()).reshape(b.shape) - b, slopes(x).norm(dim=0)
        data_pulled = proximal(state, data, residual)
        pulled = edges + state.edge_step * slopes(x)
        pulled = pulled / (pulled.norm(dim=0) / strength).clamp(min=1)
        back = (matrix.T @ (2 * data_pulled - data).flatten()).reshape(x.shape)
        moved = x - tau * (back + slopes_transposed(2 * pulled - edges))
        moved = moved.clamp(min=0) if positive else moved
        x = x + (1.8 if step < steps else 1.0) * (moved - x)
        data = data + 1.8 * (data_pulled - data)
        edges = edges + 1.8 * (pulled - edges)
    squares = residual.square() if state.weights is None else state.weights[0] * residual.square()
    loss = squares.sum() / 2 + strength * edge_length.sum()
    return x, data, edges / strength, loss / b.numel()


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("weighed", [True, False])
def test_the_step_is_what_its_formulas_say(weighed, moved, positive):
    found, expected = stepped(weighed, moved, positive)
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).norm() / other.norm()) < 2e-5
    assert not positive or float(found[0].min()) >= 0


@pytest.mark.parametrize("weighed", [True, False])
def test_few_digits_of_the_edges_are_enough(weighed, monkeypatch):
    monkeypatch.setattr(edges, "NARROW", torch.float16)
    for one, other in zip(*stepped(weighed), strict=True):
        assert float((one - other).norm() / other.norm()) < 1e-3


def stepped(weighed, moved=True, positive=True):
    """Variables and loss after some steps, and what they should be."""
    torch.manual_seed(3)
    posed = problem(moved)
    weights = 0.5 + torch.rand_like(posed.series.images) if weighed else None
    tv = Tv(Tv.Options(positive=positive, steps=6))
    state = TvState(posed, Solo(), 0.02, weights)
    expected = written_out(state, dense(posed), 6, positive)
    losses = [tv.step(posed, state, Solo()) for _ in range(6)]
    data, edges = state.tensors["data"], state.tensors["edges"]
    return (posed.volume.values.data[0], data[0], edges[:, 0], losses[-1]), expected


def test_channels_do_not_mix():
    """Each channel, with a weight of its own, goes the way it goes alone."""
    torch.manual_seed(4)
    both, strengths = problem(channels=2), torch.tensor([0.01, 0.05])
    weights = 0.5 + torch.rand_like(both.series.images)
    found = _after(both, strengths, weights)
    for channel in range(2):
        alone = problem()
        alone.series.images[:] = both.series.images[channel]
        seen = slice(channel, channel + 1)
        other = _after(alone, strengths[seen], weights[seen])[0]
        assert torch.allclose(other, found[channel], rtol=1e-4, atol=1e-6)


def _after(posed, strengths, weights):
    tv, state = Tv(Tv.Options()), TvState(posed, Solo(), strengths, weights)
    for _ in range(5):
        tv.step(posed, state, Solo())
    return posed.volume.values.data


@pytest.mark.parametrize("shape", [(2, 7, 4, 5), (1, 1, 4, 5), (1, 4, 1, 3)])
@pytest.mark.parametrize("together", [1, 2, 3, 9])
def test_slabs_make_up_the_whole(shape, together):
    voxels, edges = torch.randn(shape), torch.randn(3, *shape)
    parts = [slice(first, first + together) for first in range(0, shape[1], together)]
    gradients = torch.cat([gradient(voxels, part) for part in parts], 2)
    behind = [None, *(edges[:, :, part] for part in parts)]
    divergences = [
        divergence(edges[:, :, part], before, more=part.stop < shape[1])
        for part, before in zip(parts, behind, strict=False)
    ]
    assert torch.equal(gradients, gradient(voxels))
    assert torch.allclose(torch.cat(divergences, 1), divergence(edges), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 7, 4, 5), (1, 300, 80, 90)])
def test_portions_cover_every_slice_once(shape):
    voxels = torch.zeros(()).expand(shape)
    covered = [y for part in blocks.portions(voxels) for y in range(shape[1])[part]]
    assert covered == list(range(shape[1]))


@pytest.mark.parametrize("warp", ["bilinear", "bicubic"])
@pytest.mark.parametrize("moved", [True, False])
def test_the_way_back_is_the_transpose(moved, warp):
    """⟨Ax, y⟩ = ⟨x, Aᵀy⟩, whatever portions A and Aᵀ are made in."""
    torch.manual_seed(5)
    posed = problem(moved, 2, warp)
    posed.volume.values.data.normal_()
    images = posed.predict()
    other = torch.randn_like(images)
    (back,) = torch.autograd.grad(images, posed.volume.values, other)
    ahead = float((images.detach().double() * other).sum())
    assert float((back.double() * posed.volume.values.data).sum()) == pytest.approx(ahead, rel=1e-5)


@pytest.mark.parametrize("moved", [True, False])
def test_fixed_and_learned_poses_show_the_same(moved):
    """What is done portion by portion for fixed poses is what a graph to the poses would do."""
    torch.manual_seed(6)
    posed = problem(moved)
    posed.volume.values.data.normal_()
    fixed = posed.predict()
    other = torch.randn_like(fixed)
    (back,) = torch.autograd.grad(fixed, posed.volume.values, other)
    posed.poses.shift.requires_grad_()
    learned = posed.predict()
    assert torch.allclose(learned, fixed, atol=1e-5)
    if moved:
        again, pull = torch.autograd.grad(learned, (posed.volume.values, posed.poses.shift), other)
        assert torch.allclose(again, back, atol=1e-5) and float(pull.abs().max()) > 0
