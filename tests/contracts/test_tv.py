import pytest

from tomoinr.builtin.tv import Tv
from tomoinr.testing import SolverContract


class TestTv(SolverContract):
    @pytest.fixture
    def part(self):
        return Tv, {"weight": 0.001}
