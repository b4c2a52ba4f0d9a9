import pytest

import tomoinr_poses
from tomoinr import Plugins
from tomoinr.interfaces import Ability
from tomoinr.testing import PoseModelContract


class TestPoseModels(PoseModelContract):
    @pytest.fixture
    def part(self, variant):
        return variant

    def test_needs_tilted_axis_exactly_when_the_ray_can_leave_the_plane(self, model):
        leaves = bool((model().rotation[:, 2, 1].abs() > 1e-3).any())
        assert (Ability.TILTED_AXIS in model.needs) == leaves


def test_the_hook_offers_all_of_them():
    plugins = Plugins(tomoinr_poses, installed=False)
    assert not plugins.broken
    assert [p.name for p in plugins.parts("poses")] == ["euler", "rigid", "shift", "spline"]
