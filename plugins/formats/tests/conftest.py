"""One thread, fixed seeds, this plugin beside MRC, and a specimen without any symmetry."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

import tomoinr_formats
from tomoinr.builtin import mrc
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.geometry import Grid, Poses
from tomoinr.plugins import Plugins

torch.set_num_threads(1)
ANGLES = (-57.25, -20.0, 0.5, 31.0, 60.0)
BLOBS = ((3.0, -1.0, 2.0, 1.0), (-2.0, 2.0, -3.0, 2.0), (1.0, 1.0, 3.0, 4.0))  # x, y, z, weight


@pytest.fixture(autouse=True)
def seeds() -> None:
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Plugins(tomoinr_formats, mrc, installed=False)


@pytest.fixture
def phantom() -> TiltSeries:
    """Images (5, 8, 11) of three particles off the centre, by u = x cos − z sin and v = y."""
    rows, columns = np.mgrid[:8, :11] - np.array([3.5, 5.0])[:, None, None]
    images = np.zeros((len(ANGLES), 8, 11), np.float32)
    for image, angle in zip(images, np.deg2rad(ANGLES), strict=True):
        for x, y, z, weight in BLOBS:
            u = x * np.cos(angle) - z * np.sin(angle)
            image += weight * np.exp(-((columns - u) ** 2) - (rows - y) ** 2)
    return TiltSeries(images, torch.tensor(ANGLES).double(), 3.25)


@pytest.fixture
def volume() -> Callable[..., Reconstruction]:
    """A reconstruction that holds the voxels given."""

    def make(voxels: np.ndarray, spacing: float = 1.34, names: tuple[str, ...] = ("signal",)):
        images = torch.ones(len(names), 2, 3, 3)
        series = TiltSeries(images, torch.tensor([0.0, 1.0]), channels=names)
        grid = Grid(voxels.shape[-3:], spacing)
        return Reconstruction(voxels, grid, Poses.of(series.angles), (), series)

    return make
