import pytest
import torch

from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.slices import Slices
from tomoinr.options import parse
from tomoinr.testing import ProjectorContract
from tomoinr.testing.parts import error
from tomoinr.testing.scenes import GRID, seen_by, some_poses
from tomoinr.testing.specimens import blobs


class TestSlices(ProjectorContract):
    @pytest.fixture
    def part(self):
        return Slices


class TestBicubicSlices(ProjectorContract):
    tolerance = 0.02

    @pytest.fixture
    def part(self):
        return Slices, {"warp": "bicubic"}


def test_slices_agree_with_quadrature():
    torch.manual_seed(0)
    views, specimen = seen_by(GRID, some_poses(tilted_axis=False)), blobs(GRID)
    slices = Slices(parse(Slices.Options, {}, "slices"), GRID)
    quadrature = Quadrature(parse(Quadrature.Options, {}, "quadrature"), GRID)
    found, wanted = (p.project(specimen, views) for p in (slices, quadrature))
    assert error(found, wanted) < 0.04
