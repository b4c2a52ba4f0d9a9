"""What all network volumes share: the box, blocks, positivity, precision, one scale."""

import pytest
import torch

from tomoinr.geometry import Grid
from tomoinr.gradients import backward
from tomoinr_inr import field

GRID = Grid((6, 9, 8), 2.0, (3.0, -5.0, 1.0))


def test_nothing_is_outside_the_box(case, make):
    volume = make(case, GRID)
    far = torch.tensor([[1e6, 0.0, 0.0], [3.0, -5.0, 10.1], [3.0, 1.1, 1.0], [-5.1, -5.0, 1.0]])
    edge = torch.tensor([[11.0, -5.0, 1.0], [3.0, 1.0, 1.0], [3.0, -5.0, -8.0]])
    assert (volume.density(far) == 0).all()
    assert (volume.density(edge) > 0).all()
    wider = Grid((8, 11, 10), 2.0, GRID.centre)  # one voxel more on every side
    voxels = volume.voxels(wider)[0]
    assert (voxels[1:-1, 1:-1, 1:-1] > 0).all()
    assert torch.count_nonzero(voxels) == 6 * 9 * 8


def test_a_moved_lattice_sees_what_points_see(case, make):
    volume = make(case, GRID)
    moved = Grid(GRID.shape, 2.0, (3.4, -5.9, 0.7))
    seen = volume.density(moved.points()).movedim(-1, 0)
    torch.testing.assert_close(volume.voxels(moved), seen, rtol=1e-4, atol=1e-6)


def test_starts_small_positive_and_even(case, make):
    for start in (0.05, 0.3):
        voxels = make(case, GRID, start=start).voxels(GRID)
        assert 0.8 * start < voxels.mean() < 1.2 * start + 0.03
        assert voxels.min() > 0 and voxels.std() < 0.05


def test_blocks_change_nothing(case, make, monkeypatch):
    volume = make(case, GRID, channels=2)
    points = GRID.points() + 0.3

    def look(block):
        monkeypatch.setattr(field, "CACHED", block)
        monkeypatch.setattr(type(volume.field.encoding), "block", block)
        volume.zero_grad()
        voxels, density = volume.voxels(GRID, torch.tensor([4, 1, 2, 5, 0])), volume.density(points)
        ((voxels**3).sum() + (density**3).sum()).backward()
        return [voxels.detach(), density.detach(), *(p.grad.clone() for p in volume.parameters())]

    whole = look(1 << 20)
    for block in (7, 20, 100, 200):  # part of a line, of a slice, and several slices
        for found, wanted in zip(look(block), whole, strict=True):
            torch.testing.assert_close(found, wanted, rtol=2e-4, atol=1e-6)


def test_activations_computed_anew_change_no_gradient(case, make, monkeypatch):
    volume = make(case, GRID)
    monkeypatch.setattr(field, "CACHED", 64)

    def gradients(kept):
        monkeypatch.setitem(field.KEPT, "cpu", kept)
        loss = (volume.voxels(GRID) ** 2).sum()
        return torch.autograd.grad(loss, list(volume.parameters()))

    for found, wanted in zip(gradients(0), gradients(1 << 30), strict=True):
        torch.testing.assert_close(found, wanted)


def test_activations_in_memory_are_bounded(case, make, monkeypatch):
    """Whatever the number of slices: what autograd keeps is what `cost` says, up to `KEPT`.

    None of few points; beside them, what features are made of.
    """
    grid = Grid((4, 32, 32))
    volume = make(case, grid)
    cost = volume.field.encoding.cost() + volume.field.network.cost()

    def kept(allowed):
        monkeypatch.setitem(field.KEPT, "cpu", allowed)
        return sum(saved(lambda: volume.voxels(grid, torch.arange(4).repeat(8))).values())

    def made_of(volume, grid):
        axes, _ = volume.field._frame.lattice(grid, torch.arange(4).repeat(8), torch.device("cpu"))
        return sum(piece.nbytes for piece in volume.field.encoding.on(axes, 32, 32)(0, 0))

    everything = 32 * 32 * 32 * cost
    assert 0.95 * everything < kept(1 << 30) < 1.15 * everything
    assert kept(everything // 8) - kept(0) < 0.15 * everything + 2 * made_of(volume, grid)
    assert kept(everything // 9) == kept(0) < (1 << 20) + made_of(volume, grid)


def test_blocks_computed_anew_leave_nothing_behind(case, make, monkeypatch):
    """One node of the graph for all, whatever the layers; more would fragment a CPU's memory."""
    monkeypatch.setitem(field.KEPT, "cpu", 0)
    monkeypatch.setattr(field, "CACHED", 64)
    nodes, new = set(), {make(case, GRID).voxels(GRID).grad_fn}
    while new:
        nodes |= new
        new = {after for node in new for after, _ in node.next_functions if after} - nodes
    names = [type(node).__name__ for node in nodes]
    assert sum("Anew" in name for name in names) == 1
    assert not any("Addmm" in name or "Softplus" in name for name in names)


@pytest.mark.parametrize("allowed", [0, 1 << 30])
def test_all_is_computed_where_the_weights_are(case, make, monkeypatch, allowed):
    """The device that computes nothing refuses tensors of another as a GPU does."""
    monkeypatch.setitem(field.KEPT, "cpu", allowed)
    volume = make(case, GRID).to("meta")
    points = torch.rand(50, 3, device="meta", requires_grad=True)
    for values in (volume.voxels(GRID, torch.arange(2, device="meta")), volume.density(points)):
        assert values.device.type == "meta"
        values.sum().backward()


def test_no_gradient_keeps_nothing(case, make):
    """Blocks are as small as a core's cache, and gone when evaluated."""
    grid = Grid((4, 64, 64))
    volume = make(case, grid)
    volume.field.network.layers = watched(volume.field.network.layers, sizes := [])
    with torch.no_grad():
        assert not saved(lambda: volume.voxels(grid))
    assert sum(sizes) == 4 * 64 * 64 and max(sizes) <= field.CACHED


def saved(work):
    """Bytes of each tensor that autograd keeps, each storage once."""
    sizes = {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()
    del result
    return sizes


def watched(ready, sizes):
    """The same network, noting how many points it is given."""

    def layers():
        run = ready()

        def noting(features):
            sizes.append(features.shape[1])
            return run(features)

        return noting

    return layers


def test_one_scale_for_all_axes(make):
    """A thin box's network varies no faster across the thin axis: z and x swapped, alike."""
    thin = make("siren", Grid((8, 4, 16), 1.0))
    cube = make("siren", Grid((16, 16, 16), 1.0))
    points = torch.tensor([[5.0, 2.0, 1.5], [-7.0, -3.0, 0.5]])
    torch.testing.assert_close(thin.density(points), cube.density(points))


def test_gradients_reach_points(case, make):
    """So that poses can be learned; against finite differences."""
    volume = make(case, GRID).double()
    with torch.no_grad():
        for p in volume.parameters():
            p.add_(0.02 * torch.randn_like(p))
    centre = torch.tensor(GRID.centre, dtype=torch.float64)
    points = (centre + torch.tensor([[1.3, 0.4, -2.2], [-3.1, 2.3, 1.7]])).requires_grad_()
    assert torch.autograd.gradcheck(volume.density, points, eps=1e-6, atol=1e-6)


def test_half_precision_is_near(case, make):
    """bfloat16 keeps eight bits: hidden layers lose a percent, coordinates nothing."""
    single, half = make(case, GRID), make(case, GRID, precision="half")
    wanted, found = single.voxels(GRID).detach(), half.voxels(GRID).detach()
    assert found.dtype == torch.float32
    assert 0 < (found - wanted).norm() < 0.05 * wanted.norm()
    loss = half.voxels(GRID).square().mean()
    assert all(g.isfinite().all() for g in torch.autograd.grad(loss, list(half.parameters())))


def test_only_hidden_matrices_look_like_matrices(case, make):
    """What a solver may give to Muon: two axes of sixteen or more."""
    volume = make(case, GRID, channels=20)
    hidden = {id(p) for p in volume.field.network.weights}
    caught = [p for p in volume.parameters() if p.dim() == 2 and min(p.shape) >= 16]
    assert caught and all(id(p) in hidden for p in caught)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees(case, make):
    volume = make(case, GRID)
    with torch.no_grad():
        wanted = volume.voxels(GRID)
        found = volume.cuda().voxels(GRID).cpu()
    assert (found - wanted).norm() < 0.05 * wanted.norm()


def test_gradients_are_summed_up_in_their_place(case, make, monkeypatch):
    """Portion after portion: no second gradient as large as what is learnt."""
    monkeypatch.setitem(field.KEPT, "cpu", 0)
    volume = make(case, GRID)
    learnt = list(volume.parameters())

    def loss(rows):
        return (volume.voxels(GRID, rows) ** 2).sum()

    rows = torch.arange(GRID.shape[0])
    wanted = torch.autograd.grad(loss(rows), learnt)
    backward(loss(rows[:1]))
    places = [p.grad for p in learnt]
    backward(loss(rows[1:]))
    for p, place, whole in zip(learnt, places, wanted, strict=True):
        assert p.grad is place
        torch.testing.assert_close(place, whole, rtol=1e-4, atol=1e-6)
