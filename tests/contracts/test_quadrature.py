import pytest

from tomoinr.builtin.quadrature import Quadrature
from tomoinr.testing import ProjectorContract


class TestQuadrature(ProjectorContract):
    tolerance = 0.005
    ball_tolerance = 0.05

    @pytest.fixture
    def part(self):
        return Quadrature
