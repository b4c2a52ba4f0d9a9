"""Phantoms: what they promise about values, margins, sampling, seeds and solids."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tomoinr.builtin.phantoms import PHANTOMS, asymmetric, asymmetric_positions
from tomoinr.builtin.solids import Array, Canvas, Solid, bin_by, crystal, ellipsoid, stick

SHAPE = (14, 16, 18)
CUBE = np.array([(*(sign * np.eye(3)[axis]), 1) for axis in range(3) for sign in (-1, 1)])
TURN = Rotation.from_rotvec((0.3, -0.5, 0.4))
every_phantom = pytest.mark.parametrize("name", PHANTOMS)


def drawn(solid: Solid, n: int = 128) -> Array:
    """One solid of value 1 in a cube, at the canvas's own sampling."""
    canvas = Canvas((n, n, n))
    canvas.draw(solid, 1)
    return canvas.volume()


@every_phantom
@pytest.mark.parametrize("shape", [SHAPE, (5, 21, 17)])
def test_shape_type_and_range(name, shape):
    volume = PHANTOMS[name](shape, 0)
    assert volume.shape == shape and volume.dtype == np.float32
    assert volume.min() >= 0 and 0.3 < volume.max() < 1.2


@every_phantom
@pytest.mark.parametrize("seed", range(2))
def test_empty_outside_the_cylinder(name, seed):
    volume = PHANTOMS[name](SHAPE, seed)
    _, nz, nx = SHAPE
    z, x = np.meshgrid(np.arange(nz) - (nz - 1) / 2, np.arange(nx) - (nx - 1) / 2, indexing="ij")
    outside = np.hypot(z, x) > 0.88 * nz / 2 + 0.71  # a voxel's half-diagonal
    assert volume[:, outside].max() == 0


@every_phantom
@pytest.mark.parametrize("shape", [SHAPE, (64, 64, 64)])
def test_finer_sampling_is_the_same_specimen(name, shape):
    coarse = PHANTOMS[name](shape, 1)
    binned = bin_by(PHANTOMS[name](tuple(3 * n for n in shape), 1), 3)
    limit = 0.03 if name == "dendrite" else 0.005  # twigs as thin as a voxel
    assert np.linalg.norm(coarse - binned) < limit * np.linalg.norm(binned)
    assert coarse.sum() == pytest.approx(binned.sum(), rel=limit / 2)


@every_phantom
def test_the_seed_alone_decides(name):
    first, again, other = (PHANTOMS[name](SHAPE, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert np.linalg.norm(first - other) > 0.1 * np.linalg.norm(first)


@every_phantom
def test_a_short_box_cuts_out_the_central_slices(name):
    assert np.allclose(PHANTOMS[name]((8, 32, 32), 0), PHANTOMS[name]((32, 32, 32), 0)[12:20])


@pytest.mark.parametrize(
    ("solid", "content"),
    [
        (ellipsoid((0.1, 0.02, -0.3), 0.4), 4 / 3 * np.pi * 0.4**3),
        (ellipsoid((0.013, -0.2, 0.3), 0.05), 4 / 3 * np.pi * 0.05**3),
        (ellipsoid((0.1, 0, 0.2), (0.2, 0.3, 0.5), TURN), 4 / 3 * np.pi * 0.2 * 0.3 * 0.5),
        (crystal((0, 0.1, -0.1), CUBE, 0.5 * 3**0.5, TURN), 1.0),
        (
            stick(np.array([-0.3, 0.1, 0]), np.array([0.4, 0.3, 0.2]), 0.1),
            np.pi * np.sqrt(0.57) * (0.01 + 0.008 + 0.0064) / 3  # cone, and two half-balls
            + np.pi * 2 / 3 * (0.1**3 + 0.08**3),
        ),
    ],
    ids=["ball", "small ball", "ellipsoid", "cube", "stick"],
)
def test_content_of_solids(solid, content):
    assert drawn(solid).sum(dtype=float) * (2 / 128) ** 3 == pytest.approx(content, rel=0.005)


def test_edges_are_box_means():
    """Against 9³ points in every voxel of a small, turned ellipsoid."""
    radii, n, points = np.array([0.05, 0.07, 0.09]), 128, 9
    volume = drawn(ellipsoid((0.01, 0, 0), radii, TURN), n)[56:72, 56:72, 56:72]
    side = (np.arange(16 * points) - (16 * points - 1) / 2) / points * (2 / n)
    y, z, x = np.meshgrid(side, side, side, indexing="ij")
    local = np.stack([x - 0.01, y, z], axis=-1) @ TURN.as_matrix() / radii
    exact = bin_by((np.square(local).sum(axis=-1) < 1).astype(np.float32), points)
    assert np.abs(volume - exact).max() < 0.04
    assert np.sqrt(np.mean((volume - exact)[(exact > 0) & (exact < 1)] ** 2)) < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_asymmetric_positions(seed):
    shape = (64, 70, 60)
    labels, count = ndimage.label(asymmetric(shape, seed))
    found = np.array(ndimage.center_of_mass(labels > 0, labels, range(1, count + 1)))
    found = (found - (np.array(shape) - 1) / 2)[:, [2, 0, 1]]
    gaps = np.linalg.norm(found[:, None] - asymmetric_positions(shape, seed), axis=-1)
    assert count == 6 and (gaps.min(axis=0) < 0.2).all()


@pytest.mark.parametrize("seed", range(3))
def test_asymmetric_looks_like_none_of_its_turned_or_mirrored_images(seed):
    volume = asymmetric((32, 32, 32), seed)
    for order, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        if (order, flips) != ((0, 1, 2), (1, 1, 1)):
            image = volume.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]
            assert np.corrcoef(volume.ravel(), image.ravel())[0, 1] < 0.5
