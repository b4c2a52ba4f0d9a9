import pytest

from tomoinr.builtin.fbp import Fbp
from tomoinr.testing import SolverContract


class TestFbp(SolverContract):
    correlation = 0.9

    @pytest.fixture
    def part(self):
        return Fbp
