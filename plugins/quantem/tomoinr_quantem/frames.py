"""quantEM's axes and ours: one is the other, turned by a quarter about the beam.

quantEM tilts about its x, which runs along the images' second axis; ours is y, which runs along
the first. Images turned clockwise (`numpy.rot90(…, -1)`) are ours, angles stay as they are, and

    x = -y',   y = x',   z = z'

with quantEM's axes primed. It is a rotation, so nothing is mirrored. A pose of quantEM is
R' = Rz(z3) Rx(-tilt) Rz(z1), and a shift in pixels of its images. Its volumes, as it shows and
saves them (`obj_view`), have the axes x', z', y'.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tomoinr.geometry import Poses, turn_x, turn_z

TILT_AXIS = -90.0  # of quantEM's images, in degrees counter-clockwise from their columns
TO_THEIRS = torch.tensor(((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
FLAT = 1e-6  # sine of a tilt at which z1 and z3 turn the same way


class Euler(NamedTuple):
    """quantEM's poses: degrees (T,), and shifts (T, 2) in pixels."""

    tilt: Tensor
    z1: Tensor
    z3: Tensor
    shifts: Tensor


def our_images(images: np.ndarray) -> np.ndarray:
    """[tilt, row, column] of quantEM, with the tilt axis along the columns."""
    return np.rot90(images, -1, axes=(-2, -1))


def their_images(images: np.ndarray) -> np.ndarray:
    """[tilt, row, column] as quantEM takes them, with the tilt axis along the rows."""
    return np.rot90(images, 1, axes=(-2, -1))


def turned_volume(voxels: np.ndarray) -> np.ndarray:
    """[y, z, x] from quantEM's [x', z', y'], or back."""
    return voxels[..., ::-1]


def their_points(points: Tensor) -> Tensor:
    """Our points (..., 3), in their axes."""
    return points @ TO_THEIRS.to(points).T


def their_poses(poses: Poses, pixel_size: float) -> Euler:
    """The angles and shifts that stand for these poses."""
    turn = TO_THEIRS.double()
    r = turn @ poses.rotation.detach().cpu().double() @ turn.T
    side = torch.where(r[:, 2, 1] < 0, -1.0, 1.0)
    z1 = torch.atan2(side * r[:, 2, 0], side * r[:, 2, 1])
    z1 = torch.where(torch.hypot(r[:, 2, 0], r[:, 2, 1]) < FLAT, 0.0, z1)
    rest = r @ turn_z(-torch.rad2deg(z1))
    z3 = torch.atan2(rest[:, 1, 0], rest[:, 0, 0])
    tilt = -torch.atan2(rest[:, 2, 1], rest[:, 2, 2])
    dx, dy = (poses.shift.detach().cpu().double() / pixel_size).unbind(1)
    tilt, z1, z3 = map(torch.rad2deg, (tilt, z1, z3))
    return Euler(tilt, z1, z3, torch.stack((dy, -dx), 1))


def our_poses(euler: Euler, pixel_size: float) -> Poses:
    """Rotations and shifts in Å."""
    turn = TO_THEIRS.to(euler.tilt)
    r = turn_z(euler.z3) @ turn_x(-euler.tilt) @ turn_z(euler.z1)
    down, across = euler.shifts.unbind(1)
    return Poses(turn.T @ r @ turn, torch.stack((-across, down), 1) * pixel_size)
