"""Other lattices: half as fine, or moved; neither changes what is seen."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tomoinr import TiltSeries
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.scales import halved, predict_moved
from tomoinr.builtin.slices import Slices
from tomoinr.geometry import Grid, Pixels, Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import go_on, small_problem, truth
from tomoinr.testing.specimens import Ball, blobs

SPACING = 2.5


def problem(shape, specimen, make=Slices):
    """Images of a specimen, turned and moved, with itself as the volume."""
    grid, angles = Grid(shape, SPACING), torch.tensor([-50.0, -20.0, 0.0, 35.0])
    shift = torch.tensor([[0.7, -1.1]]).expand(4, 2) * SPACING
    nominal = Poses.of(angles, torch.tensor([1.0, -2.0, 0.0, 3.0]), shift=shift)
    images = torch.zeros(4, shape[0], shape[2])
    parts = specimen(grid), Fixed(NoOptions(), nominal, grid), make(make.Options(), grid)
    empty = Problem(TiltSeries(images, angles, SPACING), grid, *parts)
    seen = empty.predict().detach()[:1]
    return replace(empty, series=replace(empty.series, images=seen))


def wide(grid):
    return blobs(grid, width=3.0)


@pytest.mark.parametrize("make", [Slices, Quadrature])
@pytest.mark.parametrize("shape", [(16, 18, 20), (17, 19, 21), (16, 15, 21)])
def test_half_as_fine_sees_the_same(make, shape):
    """Binned images are the images of the same volume on the coarser lattice, odd sizes too."""
    coarse = halved(problem(shape, wide, make))
    assert coarse.series.shape[1:] == ((shape[0] + 1) // 2, (shape[2] + 1) // 2)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # the rim is repeated outwards
    found, wanted = coarse.predict()[:1].detach()[inner], coarse.series.images[inner]
    assert error(found, wanted) < 0.05
    assert float(found.sum() / wanted.sum()) == pytest.approx(1, abs=0.02)


def test_even_images_are_binned():
    images = torch.randn(1, 4, 8, 6)
    posed = problem((8, 6, 6), wide)
    coarse = halved(replace(posed, series=replace(posed.series, images=images)))
    assert torch.allclose(coarse.series.images, functional.avg_pool2d(images, 2), atol=1e-6)


@pytest.mark.parametrize("make", [Slices, Quadrature])
def test_a_moved_lattice_sees_the_same(make):
    """What is smooth looks alike from every lattice."""
    posed = problem((16, 18, 20), wide, make)
    pixels = Pixels.rows(posed.series.shape, torch.tensor([3, 8, 11]))
    offset = torch.tensor([0.45, -0.3, 0.4]) * SPACING
    moved, still = predict_moved(posed, pixels, offset), posed.predict(pixels)
    assert error(moved, still) < 0.02


def test_moved_lattices_are_right_on_average():
    """A ball smaller than the voxel it sits on: that lattice takes it for a whole one."""
    place, radius = torch.full((3,), 0.5 * SPACING), 0.45 * SPACING
    posed = problem((10, 12, 12), lambda grid: Ball(grid, place, radius))
    rows, mass = Pixels.rows(posed.series.shape), 4 * torch.pi / 3 * radius**3
    fifths = (torch.arange(5) - 2) / 5
    offsets = torch.cartesian_prod(fifths, fifths, fifths)

    def seen(images):  # the mass that each image shows
        return images[0].sum(dim=(1, 2)).detach() * SPACING**2 / mass

    still = seen(posed.predict(rows))
    moved = torch.stack([seen(predict_moved(posed, rows, o * SPACING)) for o in offsets])
    assert float(still.min()) > 1.2
    assert float((moved.mean(0) - 1).abs().max()) < 0.05


def losses(steps=20, **options):
    """Of the small problem, from the start."""
    posed = small_problem()
    solver = Joint(Joint.Options(steps=steps, rate=3.0, **options))
    found = go_on(solver, posed, solver.init(posed, Solo()), Solo(), steps)
    return found, posed.voxels()


def test_a_part_of_the_run_is_half_as_fine():
    """The volume learns from the first step, and becomes finer after the change."""
    (plain, _), (scaled, voxels), (_, coarse) = (losses(60, half_size=h) for h in (0, 0.3, 1))
    wanted = truth().voxels(small_problem().grid)
    assert scaled[0] != plain[0] and scaled[17] < 0.5 * scaled[0]
    assert error(voxels, wanted) < 0.8 * error(coarse, wanted)


def test_a_voxel_volume_is_not_moved():
    """It is itself the lattice."""
    assert losses(jitter=True)[0] == losses()[0]
