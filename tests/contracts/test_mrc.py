import pytest

from tomoinr.builtin import mrc
from tomoinr.testing import FormatContract


class TestMrc(FormatContract):
    @pytest.fixture
    def part(self):
        return mrc, ".mrc"
