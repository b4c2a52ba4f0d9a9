import pytest

from tomoinr.builtin.fixed import Fixed
from tomoinr.testing import PoseModelContract


class TestFixed(PoseModelContract):
    @pytest.fixture
    def part(self):
        return Fixed
