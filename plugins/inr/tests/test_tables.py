"""Interpolated features: nodes, levels, planes."""

import pytest
import torch

from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid
from tomoinr_inr.frame import Axes, Frame
from tomoinr_inr.levels import GAIN, Level
from tomoinr_inr.nodes import Nodes, pitches

GRID = Grid((5, 6, 8))


def test_nodes_of_a_voxel_each_sit_at_voxel_centres():
    nodes = Nodes.across(0.5, 2 / 16)
    assert nodes.count == 8
    centres = (torch.arange(8) - 3.5) / 8
    torch.testing.assert_close(nodes.matrix(centres), torch.eye(8))


def test_matrix_and_neighbours_say_the_same():
    for count in (1, 2, 7):
        nodes = Nodes(count, 2 / 7)
        at = torch.linspace(-1.3, 1.3, 53)
        low, high, part = nodes.around(at)
        rows = torch.arange(53)
        matrix = torch.zeros(53, count)
        matrix.index_put_((rows, low), 1 - part, accumulate=True)
        matrix.index_put_((rows, high), part, accumulate=True)
        torch.testing.assert_close(nodes.matrix(at), matrix, atol=1e-5, rtol=0)


def test_pitches_grow_in_equal_ratios():
    assert [2 / p for p in pitches(5, 4, 64)] == pytest.approx([4, 8, 16, 32, 64])
    assert [2 / p for p in pitches(1, 4, 64)] == pytest.approx([4])
    assert [2 / p for p in pitches(2, 16, 8)] == pytest.approx([8, 8])


def test_a_level_interpolates_as_voxels_do():
    """One node a voxel: the trilinear interpolation of the voxel volume, inside its centres."""
    level = Level(Frame.of(GRID), 2 / 8, 2, 1 << 20)
    torch.nn.init.normal_(level.table)
    voxels = Voxels(Voxels.Options(), GRID, 2)
    voxels.values.data = GAIN * level.table.data.view(5, 6, 8, 2).movedim(-1, 0)
    points = (torch.rand(50, 3) - 0.5) * torch.tensor([7.0, 4.0, 5.0])
    torch.testing.assert_close(level.at(points.T / 4), voxels.density(points).T, atol=1e-4, rtol=0)


def test_points_and_lattices_agree_when_hashed():
    """Nodes share their places, and use nearly all of them."""
    level = Level(Frame.of(GRID), 2 / 8, 2, 32)
    torch.nn.init.normal_(level.table)
    assert level.table.shape == (32, 2)
    axes = Axes(
        torch.linspace(-0.9, 0.9, 8), torch.linspace(-0.6, 0.6, 5), torch.linspace(-0.7, 0.7, 6)
    )
    along_z, rows = level.on(axes, 5, 6)(0, 0)
    y, z, x = torch.meshgrid(axes.y, axes.z, axes.x, indexing="ij")
    points = level.at(torch.stack((x, y, z)).flatten(1)).view(2, 5, 6, 8).movedim(0, 1)
    torch.testing.assert_close(along_z @ rows, points, atol=1e-4, rtol=1e-4)
    used = {int(level._index(*(torch.tensor(i) for i in node))) for node in corners()}
    assert len(used) > 24


def corners():
    """Every node of the lattice."""
    return [(y, z, x) for y in range(5) for z in range(6) for x in range(8)]
