"""Every representation can learn, from slices and from points, and is right between voxels."""

import pytest
import torch

from tomoinr.geometry import Grid
from tomoinr.testing import Gaussians

GRID = Grid((16, 14, 16), 2.0, (1.0, 2.0, -3.0))
BLOBS = Gaussians(GRID, torch.tensor([[6.0, -2.0, 0.0], [-5.0, 7.0, -7.0]]), 4.0, torch.ones(2, 1))
# Relative error after 300 steps of Adam: at voxels, and between them.
REACHED = {
    "siren": (0.12, 0.14),
    "hsiren": (0.15, 0.17),
    "fourier": (0.14, 0.3),
    "grid": (0.02, 0.06),
    "hashed grid": (0.12, 0.3),
    "kplanes": (0.03, 0.1),
}


def learned(volume, seen):
    """300 steps at the rate that the volume asks for."""
    adam = torch.optim.Adam(volume.parameters(), lr=volume.rate, betas=(0.9, 0.99))
    for step in range(300):
        for group in adam.param_groups:
            group["lr"] = volume.rate * min(1.0, 0.02 + (300 - step) / 150)
        adam.zero_grad()
        seen().square().mean().backward()
        adam.step()


def error(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


def test_learns_slices(case, make):
    volume = make(case, GRID)
    truth = BLOBS.voxels(GRID)

    def residual():
        slices = torch.randperm(16)[:4]
        return volume.voxels(GRID, slices) - truth[:, slices]

    learned(volume, residual)
    at, between = REACHED[case]
    with torch.no_grad():
        assert error(volume.voxels(GRID), truth) < at
        finer = Grid((32, 28, 32), 1.0, GRID.centre)
        assert error(volume.voxels(finer), BLOBS.voxels(finer)) < between


@pytest.mark.parametrize("name", ["siren", "grid", "kplanes"])
def test_learns_points(name, make):
    volume = make(name, GRID)
    extent, centre = torch.tensor(GRID.extent), torch.tensor(GRID.centre)

    def residual():
        points = (torch.rand(1000, 3) - 0.5) * extent + centre
        return volume.density(points) - BLOBS.density(points)

    learned(volume, residual)
    with torch.no_grad():
        assert error(volume.voxels(GRID), BLOBS.voxels(GRID)) < 0.15
