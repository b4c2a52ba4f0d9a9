import pytest

from tomoinr.builtin.voxels import Voxels
from tomoinr.testing import VolumeContract


class TestVoxels(VolumeContract):
    @pytest.fixture
    def part(self):
        return Voxels
