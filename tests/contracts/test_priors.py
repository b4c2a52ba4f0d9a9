import pytest

from tomoinr.builtin.priors import Sparsity, TotalVariation
from tomoinr.testing import PriorContract


class TestTotalVariation(PriorContract):
    tolerance = 0.01  # forward differences at a corner, and edges that are rounded at zero

    @pytest.fixture
    def part(self):
        return TotalVariation


class TestSparsity(PriorContract):
    zero_for_constant = False
    tolerance = 1e-5

    @pytest.fixture
    def part(self):
        return Sparsity
