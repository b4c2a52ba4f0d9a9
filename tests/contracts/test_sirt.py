import pytest

from tomoinr.builtin.sirt import Sirt
from tomoinr.testing import SolverContract


class TestSirt(SolverContract):
    @pytest.fixture
    def part(self):
        return Sirt
