"""Geometry: the conventions, each against its formula written out by hand."""

import math
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Pixels, Poses, place, positions
from tomoinr.team import Solo

ANGLE = st.floats(-179, 179)
POSE = st.tuples(ANGLE, ANGLE, st.floats(-85, 85), st.floats(-50, 50), st.floats(-50, 50))


def poses(rows):
    table = torch.tensor(rows, dtype=torch.float64)
    return Poses.of(*table[:, :3].T, table[:, 3:])


@given(st.lists(POSE, min_size=1, max_size=4))
def test_angles_are_what_poses_were_made_of(rows):
    found = torch.stack(poses(rows).angles(), 1)
    assert torch.allclose(found, torch.tensor(rows, dtype=torch.float64), rtol=0, atol=1e-6)


@given(st.lists(POSE, min_size=1, max_size=4))
def test_rotations_mirror_nothing(rows):
    r = poses(rows).rotation
    assert torch.allclose(r @ r.mT, torch.eye(3, dtype=r.dtype), atol=1e-9)
    assert torch.allclose(torch.linalg.det(r), torch.ones(len(rows), dtype=r.dtype))


def by_hand(pose, x, y, z):
    """Where a point lands, and how far along the beam, written out as the docstring says it."""
    tilt, rotation, out = (math.radians(a) for a in pose[:3])
    x, z = x * math.cos(tilt) - z * math.sin(tilt), x * math.sin(tilt) + z * math.cos(tilt)
    y, z = y * math.cos(out) - z * math.sin(out), y * math.sin(out) + z * math.cos(out)
    u = x * math.cos(rotation) - y * math.sin(rotation) + pose[3]
    v = x * math.sin(rotation) + y * math.cos(rotation) + pose[4]
    return u, v, z


@given(POSE, st.tuples(*[st.floats(-30, 30)] * 3), st.floats(0.2, 5))
def test_a_point_lands_where_the_formula_says(pose, point, spacing):
    """The ray of the pixel where it lands passes through the point."""
    views = place(poses([pose]), (1, 7, 9), spacing)
    u, v, along = by_hand(pose, *point)
    at = views.centre + (u * views.u + v * views.v) / spacing + along * views.ray
    assert at[0].tolist() == pytest.approx(point, abs=1e-6)
    for step in (views.u, views.v):  # one pixel, at right angles to the beam
        assert float(step.norm()) == pytest.approx(spacing)
        assert float((step * views.ray).sum()) == pytest.approx(0, abs=1e-9)


def test_rays_start_at_their_pixels():
    pose, spacing, shape = (25.0, -8.0, 5.0, 3.0, -2.0), 1.5, (2, 6, 9)
    views = place(poses([(0, 0, 0, 0, 0), pose]), shape, spacing)
    for row, column in np.ndindex(shape[1:]):
        pixel = Pixels(*(torch.tensor([i]) for i in (1, row, column)))
        rays = views.rays(pixel)
        u, v, _ = by_hand(pose, *rays.origin[0].tolist())
        assert u == pytest.approx((column - 4) * spacing, abs=1e-6)
        assert v == pytest.approx((row - 2.5) * spacing, abs=1e-6)
        assert float(rays.direction.norm()) == pytest.approx(1)
        further = rays.origin[0] + 10 * rays.direction[0]
        assert by_hand(pose, *further.tolist())[:2] == pytest.approx((u, v), abs=1e-6)


def test_the_sign_of_the_tilt():
    """A voxel at +x and +z moves to the left as the tilt grows: u = x cos θ - z sin θ."""
    grid = Grid((1, 15, 15))
    volume = Voxels(Voxels.Options(), grid)
    volume.values.data[0, 0, 7 + 3, 7 + 4] = 1
    views = place(Poses.of(torch.tensor([-30.0, 0.0, 30.0])), (3, 1, 15), 1.0)
    images = Slices(Slices.Options(), grid).project(volume, views)[0, :, 0].detach()
    found = images @ positions(15) / images.sum(1)
    turn = math.radians(30)
    expected = [4 * math.cos(turn) + 3 * math.sin(turn), 4, 4 * math.cos(turn) - 3 * math.sin(turn)]
    assert found.tolist() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("n", "spacing", "expected"),
    [(1, 2, [0]), (2, 1, [-0.5, 0.5]), (3, 2, [-2, 0, 2]), (4, 2, [-3, -1, 1, 3])],
)
def test_indices_are_centred(n, spacing, expected):
    assert positions(n, spacing).tolist() == pytest.approx(expected)
    last = torch.tensor([n - 1])
    assert positions(n, spacing, last).tolist() == pytest.approx(expected[-1:])


def test_a_grid_knows_its_points():
    grid = Grid((2, 3, 4), 1.5, (10.0, 20.0, 30.0))
    points = grid.points()
    assert points.shape == (2, 3, 4, 3) and grid.extent == (6.0, 3.0, 4.5)
    for y, z, x in np.ndindex(grid.shape):
        expected = (10 + (x - 1.5) * 1.5, 20 + (y - 0.5) * 1.5, 30 + (z - 1) * 1.5)
        assert points[y, z, x].tolist() == pytest.approx(expected)
    assert torch.equal(grid.points(torch.tensor([1])), points[1:])


def share(n, size):
    """What each rank of a team of `size` gets of `n` units."""
    for rank in range(size):
        team = Solo()
        team.rank, team.size = rank, size
        yield team.share(n)


@given(st.integers(0, 40), st.integers(1, 9))
def test_shares_are_even_and_cover_all_once(n, size):
    taken = [list(range(n)[part]) for part in share(n, size)]
    assert [*chain(*taken)] == [*range(n)]
    assert max(map(len, taken)) - min(map(len, taken)) <= 1


@given(st.tuples(*[st.integers(1, 6)] * 3), st.integers(1, 8), st.booleans())
def test_parts_cover_every_pixel_once(shape, size, rows):
    if rows:
        pixels = Pixels.rows(shape)
    else:
        flat = torch.arange(math.prod(shape))
        pixels = Pixels(*torch.unravel_index(flat, shape))
    seen = torch.zeros(shape, dtype=torch.int)
    for units in share(len(pixels), size):
        part = pixels.part(units)
        assert len(part) == units.stop - units.start
        seen[part.view, part.row, part.column] += 1
        assert seen[part.view, part.row, part.column].shape == part.shape
    assert bool((seen == 1).all())


def test_rows_of_some_views():
    pixels = Pixels.rows((5, 6, 7), rows=torch.tensor([4, 1]), views=torch.tensor([3]))
    assert pixels.shape == (1, 2, 7) and len(pixels) == 2
    cube = torch.arange(5 * 6 * 7).reshape(5, 6, 7)
    assert torch.equal(cube[pixels.view, pixels.row, pixels.column], cube[3:4, [4, 1]])


def test_what_turns_an_image_leaves_its_rays_off_the_graph():
    """Or every step would ask how projections depend on tilts that nobody learns."""
    turn = torch.zeros(4, requires_grad=True)
    nominal = Poses.of(torch.linspace(-50, 40, 4), 3.0, shift=torch.ones(4, 2))
    turned = nominal.turned(5 + turn)
    wanted = Poses.of(torch.linspace(-50, 40, 4), 8.0)
    assert torch.allclose(turned.rotation, wanted.rotation, atol=1e-6)
    for poses in (turned, turned.turned(turn), turned.some([1, 3])):
        views = place(poses, (len(poses.shift), 5, 6), 1.0)
        assert views.u.requires_grad and not views.ray.requires_grad
        assert torch.equal(views.ray, poses.rotation[:, 2])
    tilted = Poses(nominal.rotation + 0 * turn[:, None, None], nominal.shift).turned(turn)
    assert place(tilted, (4, 5, 6), 1.0).ray.requires_grad
