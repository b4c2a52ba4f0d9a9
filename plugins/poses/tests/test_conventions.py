import math

import numpy as np
import pytest
import torch

from tomoinr import TomoinrError
from tomoinr.geometry import Pixels, Poses, place
from tomoinr.options import NoOptions, parse
from tomoinr.testing.parts import stir
from tomoinr.testing.specimens import Gaussians
from tomoinr_poses import Euler, Rigid, Shift, Spline
from tomoinr_poses.spline import cubic
from tomoinr_poses.units import degrees_per_pixel


def turn(axis, degrees):
    """A right-handed rotation about x, y or z, written out."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array(
        {
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


@pytest.mark.parametrize("make", [Rigid, Spline, Euler])
def test_a_rotation_turns_the_image_from_x_towards_y(make, grid):
    """A particle on the x axis moves to higher rows, by the arc that the parameter says."""
    nominal = Poses.of(torch.tensor([-20.0, 0.0, 20.0]))
    model = make(make.Options(**({"reference": 0} if make is Euler else {})), nominal, grid)
    arc = model.arcs[:, 1] if make is Euler else model.arc
    with torch.no_grad():
        arc += 1.0
    particle = Gaussians(grid, torch.tensor([[12.0, 0.0, 0.0]]), 5.0, torch.ones(1, 1))
    shape = (3, 40, 40)
    rays = place(model(), shape, grid.spacing).rays(Pixels.rows(shape))
    image, at = particle.integral(rays)[0, 1].detach(), torch.arange(40) - 19.5
    column, row = (float(image.sum(d) @ at / image.sum()) for d in (0, 1))
    angle = math.degrees(math.atan2(row, column))
    assert angle == pytest.approx(degrees_per_pixel(grid), rel=1e-3)
    assert row > 0 and math.hypot(row, column) == pytest.approx(12 / grid.spacing, rel=1e-3)


def test_one_unit_of_any_parameter_moves_the_image_by_a_pixel(grid):
    """Root mean square over the image, turned or shifted."""
    rows, _, columns = grid.shape
    y, x = np.mgrid[:rows, :columns] - np.array([[[(rows - 1) / 2]], [[(columns - 1) / 2]]])
    radius = math.sqrt((x**2 + y**2).mean())
    assert math.radians(degrees_per_pixel(grid)) * radius == pytest.approx(1, rel=0.01)
    model = Shift(NoOptions(), Poses.of(torch.linspace(-60, 60, 9)), grid)
    model.pixels.data[::2, 1] = 1.0
    model.pixels.data[1::2, 1] = -1.0
    shift = model().shift[:, 1].detach()
    assert float(shift[0] - shift[1]) == pytest.approx(2 * grid.spacing)


def test_corrections_compose_with_the_nominal_poses(aligned, grid):
    """Angles add up in the frame of the nominal tilt axis, at any azimuth; shifts add up."""
    model = Rigid(Rigid.Options(tilt=True, out_of_plane=True), aligned, grid)
    start = aligned.angles()
    wobble = torch.tensor([1.0, -2.0, 1.0, 0, 0, 0, 1.0, -2.0, 1.0])
    model.arc.data = 0.3 * wobble
    assert (model().angles().tilt - start.tilt).abs().max() < 1e-3
    assert torch.allclose(
        model().angles().rotation - start.rotation,
        0.3 * degrees_per_pixel(grid) * wobble,
        atol=1e-3,
    )
    stir(model, 0.2)
    found = model().angles()
    corrected = [getattr(model, f"{a}_arc").detach() for a in ("tilt", "axis")]
    parts = [
        degrees_per_pixel(grid) * (v - _fit(v, m))
        for v, m in zip(corrected, _modes(start.tilt), strict=True)
    ]
    rotation = start.rotation + degrees_per_pixel(grid) * model.arc.detach()
    expected = Poses.of(start.tilt + parts[0], rotation, start.out_of_plane + parts[1])
    assert torch.allclose(model().rotation, expected.rotation, atol=1e-5)
    assert torch.allclose(found.out_of_plane, start.out_of_plane + parts[1], atol=1e-3)


def _modes(tilt):
    radians = torch.deg2rad(tilt)
    return (
        torch.stack((torch.ones_like(tilt), tilt), 1),
        torch.stack((radians.cos(), radians.sin()), 1),
    )


def _fit(values, modes):
    return modes @ torch.linalg.lstsq(modes, values[:, None]).solution[:, 0]


def test_euler_is_the_product_of_its_three_rotations(grid):
    """z1 first, then the tilt (right-handed about -y), then z3."""
    tilt = torch.tensor([-50.0, 1.0, 40.0])
    model = Euler(Euler.Options(), Poses.of(tilt), grid)
    model.arcs.data = torch.tensor([[0.5, -0.8], [9.0, 9.0], [-1.2, 0.4]])
    angles = degrees_per_pixel(grid) * model.arcs.detach()
    angles[1] = 0.0  # the reference
    for found, (z1, z3), theta in zip(model().rotation, angles.tolist(), tilt, strict=True):
        expected = turn("z", z3) @ turn("y", -float(theta)) @ turn("z", z1)
        assert np.allclose(found.detach(), expected, atol=1e-6)


def test_an_unknown_reference_is_refused(aligned, grid):
    with pytest.raises(TomoinrError, match="there are 9 images"):
        Euler(Euler.Options(reference=9), aligned, grid)


def test_a_spline_with_a_knot_an_image_is_any_drift(aligned, grid):
    model = Spline(parse(Spline.Options, {"knots": 9}, "spline"), aligned, grid)
    drift, free = torch.randn(9, 2), Shift(NoOptions(), aligned, grid)
    free.pixels.data = drift
    rotation = torch.randn(9)
    model.pixels.data = torch.linalg.solve(model.basis, drift)
    model.arc.data = torch.linalg.solve(model.basis, rotation)
    turned = model().angles().rotation - aligned.angles().rotation
    assert torch.allclose(model().shift, free().shift, atol=1e-4)
    assert torch.allclose(turned, degrees_per_pixel(grid) * rotation, atol=1e-3)


def test_a_spline_with_few_knots_is_smooth(grid):
    """A straight drift exactly, a slow wave nearly, a jump only blurred."""
    nominal = Poses.of(torch.linspace(-60, 60, 31))
    basis = Spline(Spline.Options(knots=6), nominal, grid).basis.double()
    index = torch.linspace(-1, 1, 31).double()
    misfit = [(v - _fit(v, basis)).abs().max() for v in (1 - 2 * index, (3 * index).sin())]
    assert misfit[0] < 1e-6 and misfit[1] < 0.02
    jump = index.sign()
    assert (jump - _fit(jump, basis)).abs().max() > 0.5


@pytest.mark.parametrize("tilts", [9, 61])
def test_a_knot_an_image_is_well_conditioned(tilts):
    """So that Adam finds any drift in about as many steps as with free poses."""
    assert torch.linalg.cond(cubic(tilts, tilts)) < 4


def test_a_spline_needs_no_more_than_two_images(grid):
    model = Spline(Spline.Options(), Poses.of(torch.tensor([0.0, 10.0])), grid)
    stir(model, 0.5)
    assert model().rotation.isfinite().all() and model().shift.shape == (2, 2)
