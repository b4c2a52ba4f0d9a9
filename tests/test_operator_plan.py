"""The projectors' plans: what is not worked out twice, and where it is worked out."""

import pytest
import torch

from tomoinr import TiltSeries, reconstruct
from tomoinr.builtin import slice_plan
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Pixels, Poses, Views, place

GRID = Grid((4, 5, 6), 2.0)
SHAPE = (3, 4, 6)
ANGLES = torch.tensor([-40.0, 0.0, 55.0])


@pytest.fixture
def volume():
    torch.manual_seed(0)
    volume = Voxels(Voxels.Options(), GRID)
    volume.values.data.uniform_()
    return volume


def views(turn=1.0):
    shift = torch.tensor([[0.4, -1.0], [0.0, 0.2], [1.1, 0.0]])
    return place(Poses.of(ANGLES, turn, shift=shift), SHAPE, GRID.spacing)


def test_the_same_views_need_no_comparison(volume, monkeypatch):
    projector, pixels, seen = Slices(Slices.Options(), GRID), Pixels.rows(SHAPE), views()
    wanted = projector.project(volume, seen, pixels)
    monkeypatch.setattr(torch, "equal", None)
    monkeypatch.setattr("tomoinr.builtin.slices.make_plan", None)
    assert (projector.project(volume, seen, pixels) == wanted).all()


def test_equal_views_share_a_plan_and_others_do_not(volume, monkeypatch):
    projector, pixels = Slices(Slices.Options(), GRID), Pixels.rows(SHAPE)
    made = []

    def noted(*args):
        made.append(args)
        return slice_plan.make_plan(*args)

    monkeypatch.setattr("tomoinr.builtin.slices.make_plan", noted)
    first = projector.project(volume, views(), pixels)
    assert torch.equal(projector.project(volume, views(), pixels), first) and len(made) == 1
    assert not torch.equal(projector.project(volume, views(2.0), pixels), first)
    projector.project(volume, views(2.0), Pixels.rows(SHAPE))
    assert len(made) == 3


@pytest.mark.parametrize("jitter", [False, True])
def test_quadrature_works_where_the_views_are(volume, jitter):
    """The device that computes nothing refuses tensors of another as a GPU does."""
    projector = Quadrature(Quadrature.Options(jitter=jitter), GRID)
    seen = views()
    there = [t.to("meta") for t in (seen.ray, seen.centre, seen.u, seen.v)]
    assert projector.project(volume.to("meta"), Views(SHAPE, *there)).device.type == "meta"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_a_cpu_gives(volume):
    """Both projectors, and a whole run, whose result lies on the CPU."""
    for projector in (Slices(Slices.Options(), GRID), Quadrature(Quadrature.Options(), GRID)):
        wanted, seen = projector.project(volume.cpu(), views()).detach(), views()
        there = [t.cuda() for t in (seen.ray, seen.centre, seen.u, seen.v)]
        found = projector.project(volume.cuda(), Views(SHAPE, *there)).detach().cpu()
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    series = TiltSeries(wanted[0], ANGLES, GRID.spacing)
    result = reconstruct(series, solver="sirt", steps=2)
    assert result.series.images.device.type == "cpu"
