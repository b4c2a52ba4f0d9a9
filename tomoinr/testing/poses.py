"""The contract of pose models."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import Ability, PoseModel
from tomoinr.testing.parts import KEPT, AnyPart, Build, error, restored, stir, unreached

GRID = Grid((10, 10, 12), 2.5)


def nominal() -> Poses:
    """Eight views with rotations and shifts, as an earlier alignment may give them."""
    tilt = torch.linspace(-60.0, 66.0, 8)
    return Poses.of(tilt, 3 * torch.rand(8), shift=5 * torch.randn(8, 2))


class PoseModelContract(AnyPart):
    """A pose model starts at the nominal poses, always turns rigidly, and says how it may turn.

    Fixture `part`: the class, or (class, options); made as `cls(options, nominal, grid)`.
    `stirred`: size of the random changes made to the parameters.
    """

    stirred: ClassVar[float] = 0.5

    @pytest.fixture
    def model(self, build: Build) -> PoseModel:
        """The model, away from its start."""
        model: PoseModel = build(nominal(), GRID)
        stir(model, self.stirred)
        return model

    def test_starts_at_the_nominal_poses(self, build: Build) -> None:
        """To 1e-6, with finite gradients."""
        start = nominal()
        poses = build(start, GRID)()
        assert (poses.rotation - start.rotation).abs().max() <= 1e-6
        assert error(poses.shift, start.shift) <= 1e-6

    def test_rotations_stay_rotations(self, model: PoseModel) -> None:
        """Orthonormal and right-handed, whatever the parameters."""
        rotation = model().rotation
        assert (rotation @ rotation.mT - torch.eye(3)).abs().max() < 1e-5
        assert (torch.linalg.det(rotation) > 0).all()

    def test_gradients_reach_every_parameter(self, model: PoseModel) -> None:
        """From rotations and shifts."""
        poses = model()
        values = torch.cat((poses.rotation.flatten(1), poses.shift), dim=1)
        assert unreached(model, (values * torch.randn_like(values)).sum()) == []

    def test_state_round_trip(self, model: PoseModel, build: Build) -> None:
        """A fresh model, made from other poses and given the saved state, has the same poses."""
        again, poses = restored(model, build(nominal(), GRID))(), model()
        assert torch.equal(again.rotation, poses.rotation), KEPT
        assert torch.equal(again.shift, poses.shift), KEPT

    def test_says_when_the_axis_leaves_the_detector_plane(self, model: PoseModel) -> None:
        """Without TILTED_AXIS in `needs` the beam stays in the x-z plane of the specimen."""
        if Ability.TILTED_AXIS not in model.needs:
            assert model().rotation[:, 2, 1].abs().max() < 1e-5
