"""The contract of volumes."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest
import torch

from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability, Volume
from tomoinr.testing.parts import KEPT, AnyPart, Build, error, restored, stir, unreached

GRID = Grid((6, 5, 7), 2.5, (1.0, -2.0, 3.0))


def _images() -> tuple[torch.Tensor, torch.Tensor]:
    """A gentle slope, and noise: two series (tilts, rows, columns)."""
    rows, _, columns = GRID.shape
    slope = torch.linspace(0, 1, columns).expand(3, rows, columns)
    return slope, torch.rand(3, rows, columns, generator=torch.Generator().manual_seed(0))


class VolumeContract(AnyPart):
    """A volume is one function of space: at points, on lattices, and after a restart.

    Fixture `part`: the class, or (class, options); made as `cls(options, grid, channels)`.
    `tolerance`: relative difference allowed between `voxels` and `density`.
    `stirred`: size of the random changes made to the parameters before each test.
    """

    tolerance: ClassVar[float] = 1e-4
    stirred: ClassVar[float] = 0.1

    @pytest.fixture(params=[1, 2], ids=["one_channel", "two_channels"])
    def volume(self, build: Build, request: Any) -> Volume:
        """The volume, away from its start."""
        volume: Volume = build(GRID, request.param)
        stir(volume, self.stirred)
        return volume

    def test_density_has_the_shape_of_the_points(self, volume: Volume) -> None:
        """(..., 3) → (..., channels), finite in the box and outside."""
        points = 30 * torch.randn(4, 1, 2, 3)
        density = volume.density(points)
        assert density.shape == (4, 1, 2, volume.channels)
        assert density.isfinite().all()

    @pytest.mark.parametrize("finer", [1, 2])
    def test_voxels_agree_with_density(self, volume: Volume, finer: int) -> None:
        """On its own lattice and on one of half the spacing, all and some of the slices."""
        ny, nz, nx = GRID.shape
        grid = Grid((ny * finer, nz * finer, nx * finer), GRID.spacing / finer, GRID.centre)
        voxels = volume.voxels(grid)
        assert voxels.shape == (volume.channels, *grid.shape)
        assert error(voxels, volume.density(grid.points()).movedim(-1, 0)) <= self.tolerance
        some = torch.tensor([4, 0, 3])
        assert error(volume.voxels(grid, some), voxels[:, some]) <= self.tolerance

    def test_gradients_reach_every_parameter(self, volume: Volume) -> None:
        """From points and from voxels."""
        assert unreached(volume, volume.density(GRID.points()).square().mean()) == []
        assert unreached(volume, volume.voxels(GRID).square().mean()) == []

    def test_state_round_trip(self, volume: Volume, build: Build) -> None:
        """A fresh volume given the saved state is the same volume."""
        again: Volume = restored(volume, build(GRID, volume.channels))
        assert torch.equal(again.density(GRID.points()), volume.density(GRID.points())), KEPT

    def test_what_images_settle_stays(self, build: Build) -> None:
        """Asked again with other images it has nothing to say; nor has one with its state."""
        flat, fine = (TiltSeries(i, torch.tensor([-60.0, 0, 60]), GRID.spacing) for i in _images())
        volume: Volume = build(GRID, 1)
        volume.heed(flat)
        state = copy.deepcopy(volume.state_dict())
        for one in (volume, restored(volume, build(GRID, 1))):
            assert one.heed(fine) == (), "settled twice"
            assert all(torch.equal(state[name], value) for name, value in one.state_dict().items())

    def test_linear_volumes_are_linear_in_one_parameter(self, volume: Volume) -> None:
        """2 x + 3 y has the density of 2 x plus 3 y."""
        if Ability.LINEAR not in volume.abilities:
            pytest.skip("not LINEAR")
        parameter, *others = volume.parameters()
        assert not others
        x, y = torch.randn(2, *parameter.shape)
        points = GRID.points()[..., :2, :] + 0.3

        def density(values: torch.Tensor) -> torch.Tensor:
            parameter.data = values
            return torch.cat((volume.density(points).flatten(), volume.voxels(GRID).flatten()))

        assert error(density(2 * x + 3 * y), 2 * density(x) + 3 * density(y)) < 1e-5
