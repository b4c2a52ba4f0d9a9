"""The automatic solver keeps the contract."""

import pytest

from tomoinr.builtin.auto import Auto
from tomoinr.testing import SolverContract


class TestAuto(SolverContract):
    @pytest.fixture
    def part(self):
        return Auto, {"steps": 60}
