"""The 3-D projector: never called without a GPU; its geometry, which needs none; itself, on one."""

import astra
import astra.experimental
import numpy as np
import pytest
import torch

from tomoinr.builtin.voxels import Voxels
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses, place
from tomoinr.options import parse
from tomoinr.testing import ProjectorContract
from tomoinr.testing.scenes import some_poses
from tomoinr_astra import cuda
from tomoinr_astra.projector import AstraProjector

GRID = Grid((6, 5, 7), 2.5, (2.0, -1.0, 3.0))
OPTIONS = parse(AstraProjector.Options, {"device": "cuda"}, "astra")
no_gpu = pytest.mark.skipif(astra.use_cuda(), reason="there is a GPU")


def views(count=4):
    """Tilted, turned, leaning and moved; images larger than the box."""
    return place(some_poses(True, count), (count, 14, 16), GRID.spacing)


@pytest.mark.gpu
@pytest.mark.skipif(not astra.use_cuda(), reason="ASTRA finds no GPU")
class TestAstraCuda(ProjectorContract):
    adjoint_tolerance = 0.02  # ASTRA's back-projection interpolates in its own way

    @pytest.fixture
    def part(self):
        return AstraProjector, {"device": "cuda"}


@no_gpu
def test_nothing_is_called_without_a_gpu():
    for call in (
        lambda: AstraProjector(OPTIONS, GRID),
        lambda: cuda.forward(torch.zeros(GRID.shape), views(), GRID),
        lambda: cuda.back(torch.zeros(views().shape), views(), GRID),
    ):
        with pytest.raises(TomoinrError, match="needs a GPU that ASTRA can use"):
            call()


def test_an_astra_that_takes_no_tensors_is_refused(monkeypatch):
    monkeypatch.setattr(astra, "use_cuda", lambda: True)
    monkeypatch.delattr(astra.projector, "direct_FP")
    with pytest.raises(TomoinrError, match=r"needs ASTRA 2\.5 or newer"):
        cuda.check()


def test_points_land_where_astra_says():
    seen = views(8)
    _, detector = cuda.geometries(seen, GRID)
    x, y, z = 4.0, -3.5, 1.25
    place_ = torch.tensor((x, y, z)) + torch.tensor(GRID.centre)
    for view in range(8):
        u, v = astra.experimental.projectPoint(detector, x, z, y, view)
        away = place_ - seen.centre[view]
        wanted = [
            float(away @ step[view]) / GRID.spacing**2 + (n - 1) / 2
            for step, n in ((seen.u, 16), (seen.v, 14))
        ]
        assert (u, v) == pytest.approx(wanted, abs=1e-4)


@pytest.fixture
def stand_in(monkeypatch):
    """ASTRA's 3-D projector as a matrix, made of where ASTRA says that voxels land."""

    def matrix(number):
        detector = astra.projector3d.projection_geometry(number)
        rows, columns = detector["DetectorRowCount"], detector["DetectorColCount"]
        made = torch.zeros(rows, len(detector["Vectors"]), columns, *GRID.shape)
        places = (GRID.points() - torch.tensor(GRID.centre)).double()
        for at in np.ndindex(GRID.shape):
            x, y, z = places[at].tolist()
            for view in range(made.shape[1]):
                u, v = astra.experimental.projectPoint(detector, x, z, y, view)
                made[(round(v), view, round(u), *at)] = GRID.spacing
        return made.reshape(rows * made.shape[1] * columns, -1)

    def forward(number, volume, rows):
        assert volume.is_contiguous() and rows.is_contiguous()
        rows.copy_((matrix(number) @ volume.flatten()).reshape(rows.shape))

    def back(number, volume, rows):
        assert volume.is_contiguous() and rows.is_contiguous()
        volume.copy_((matrix(number).T @ rows.flatten()).reshape(volume.shape))

    monkeypatch.setattr(cuda, "check", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(astra.experimental, "direct_FP3D", forward)
    monkeypatch.setattr(astra.experimental, "direct_BP3D", back)


def test_volumes_and_images_keep_their_axes(stand_in):
    poses = Poses.of(torch.tensor([0.0, 90.0]))
    seen = place(poses, (2, 6, 9), GRID.spacing)
    projector = AstraProjector(OPTIONS, Grid(GRID.shape, GRID.spacing))
    volume = Voxels(Voxels.Options(), Grid(GRID.shape, GRID.spacing), 2)
    volume.values.data = torch.rand_like(volume.values)
    images = projector.project(volume, seen)
    values = volume.values.detach() * GRID.spacing
    assert torch.allclose(images[:, 0, :, 1:8], values.sum(2), atol=1e-4)  # u = x
    assert torch.allclose(images[:, 1, :, 2:7], values.sum(3).flip(2), atol=1e-4)  # u = -z


def test_the_gradient_is_the_back_projection(stand_in):
    projector, volume = AstraProjector(OPTIONS, GRID), Voxels(Voxels.Options(), GRID, 2)
    y, seen = torch.randn(2, 4, 14, 16), views()
    projected = projector.project(volume, seen)
    (gradient,) = torch.autograd.grad((projected * y).sum(), volume.values)
    x = volume.values.data = torch.randn_like(volume.values)
    forward = projector.project(volume, seen).detach()
    assert float((forward * y).sum()) == pytest.approx(float((x * gradient).sum()), rel=1e-4)
