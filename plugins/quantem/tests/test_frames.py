"""quantEM's axes and ours, without quantEM: everything is a rotation, and comes back."""

import numpy as np
import pytest
import torch

from tomoinr.geometry import Poses, turn_x, turn_z
from tomoinr_quantem.batches import Batches
from tomoinr_quantem.frames import (
    TO_THEIRS,
    our_images,
    our_poses,
    their_images,
    their_points,
    their_poses,
    turned_volume,
)

TILTS = torch.tensor([-71.0, -20.0, -1e-4, 0.0, 33.0, 88.0], dtype=torch.float64)


def test_the_change_of_axes_is_a_rotation():
    assert torch.linalg.det(TO_THEIRS) == pytest.approx(1)
    assert torch.equal(their_points(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([2.0, -1.0, 3.0]))


@pytest.mark.parametrize("turn", [(0.0, 0.0), (7.0, 0.0), (-120.0, 0.0), (4.0, -3.0)])
def test_poses_come_back(turn):
    shift = torch.randn(6, 2, dtype=torch.float64)
    poses = Poses.of(TILTS, *turn, shift=shift)
    there = their_poses(poses, 2.5)
    back = our_poses(there, 2.5)
    assert torch.allclose(back.rotation, poses.rotation, atol=1e-9)
    assert torch.allclose(back.shift, shift)


def test_a_plain_tilt_keeps_its_angle_and_needs_no_other():
    euler = their_poses(Poses.of(TILTS.float()), 1.0)
    assert torch.allclose(euler.tilt, TILTS, atol=1e-4)
    assert float(torch.stack((euler.z1, euler.z3)).abs().max()) < 1e-3


def test_what_is_written_of_their_order_of_turns_holds():
    z1, z3 = torch.full_like(TILTS, 3.0), torch.full_like(TILTS, -5.0)
    matrix = TO_THEIRS.double().T @ turn_z(z3) @ turn_x(-TILTS) @ turn_z(z1) @ TO_THEIRS.double()
    euler = their_poses(Poses(matrix, torch.zeros(6, 2).double()), 1.0)
    sure = TILTS.abs() > 1  # below, only their sum can be known
    assert torch.allclose(euler.z1[sure], z1[sure])
    assert torch.allclose(euler.z3[sure], z3[sure])
    assert torch.allclose(euler.z1 + euler.z3, z1 + z3, atol=1e-3)


def test_images_and_volumes_come_back():
    images = np.arange(24).reshape(2, 3, 4)
    assert our_images(images).shape == (2, 4, 3)
    assert np.array_equal(their_images(our_images(images)), images)
    assert np.array_equal(turned_volume(turned_volume(images)), images)


def test_a_pass_sees_every_pixel_once_at_its_place(problem):
    given = problem()
    series = given.series
    batches = Batches(series, series.angles.float(), side=20, size=65, seed=3, unit=2.0)
    assert batches.pass_ * 65 == series.images.numel()
    batches.first, batches.count = 2 * batches.pass_, batches.pass_
    seen = set()
    for batch in batches:
        row, column = batch["pixel_j"] - 3.5, 17 + 1 - batch["pixel_i"]
        view = batch["projection_idx"]
        values = series.images[0, view, row.long(), column.long()] / 2
        assert torch.equal(batch["target_value"], values)
        assert torch.equal(batch["phi"], series.angles.float()[view])
        seen |= set(zip(view.tolist(), row.tolist(), column.tolist(), strict=True))
    assert len(seen) == series.images.numel()


def test_batches_depend_on_nothing_but_their_number(problem):
    series = problem().series
    made = [Batches(series, series.angles, 18, 100, seed, 1.0) for seed in (1, 1, 2)]
    for batches, first in zip(made, (0, 60, 60), strict=True):
        batches.first, batches.count = first, 61 - first
    one, late, other = (list(batches)[-1]["pixel_i"] for batches in made)
    assert torch.equal(one, late) and not torch.equal(one, other)
