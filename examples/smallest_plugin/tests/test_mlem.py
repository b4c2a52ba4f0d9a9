import pytest

from tomoinr.testing import SolverContract
from tomoinr_mlem import Mlem


class TestMlem(SolverContract):
    @pytest.fixture
    def part(self):
        return Mlem
