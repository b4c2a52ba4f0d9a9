"""Networks of sines start as their papers say."""

import math

import pytest
import torch

from tomoinr.geometry import Grid
from tomoinr_inr.hsiren import PAPER
from tomoinr_inr.network import Network
from tomoinr_inr.waves import Waves

GRID = Grid((8, 8, 8))
POINTS = 2 * torch.rand(3, 4000, generator=torch.Generator().manual_seed(1)) - 1


@pytest.mark.parametrize("width, omega", [(64, 15.0), (256, 30.0)])
def test_phases_of_every_layer_are_spread_alike(width, omega):
    """SIREN's law: a standard deviation near one behind the first layer, whatever the depth."""
    torch.manual_seed(0)
    waves, network = Waves(width, omega), Network(width, width, 6, 1, omega)
    features = waves.at(POINTS)
    for weight in network.weights:
        phases = omega * weight @ features
        assert 0.8 < phases.std() < 1.2
        features = (phases + omega * torch.rand(width, 1)).sin()
        assert abs(features.std() - math.sqrt(0.5)) < 0.06


def test_first_layer_is_a_sine_of_the_scaled_point():
    waves = Waves(16, 7.0)
    by_hand = torch.sin(7.0 * (waves.weight @ POINTS + waves.bias[:, None]))
    torch.testing.assert_close(waves.at(POINTS), by_hand, atol=1e-5, rtol=0)


def test_hyperbolic_first_layer():
    waves = Waves(16, 7.0, hyperbolic=True)
    by_hand = torch.sin(7.0 * torch.sinh(2 * (waves.weight @ POINTS + waves.bias[:, None])))
    torch.testing.assert_close(waves.at(POINTS), by_hand, atol=2e-3, rtol=0)


def test_winner_noise_is_added_to_the_first_two_layers_only(make):
    plain, noisy = (make("hsiren", GRID, **PAPER | {"winner": w}) for w in (False, True))
    first, second = noisy.field.encoding.weight, noisy.field.network.weights[0]
    assert abs(first.std() - math.hypot(5 / 30, math.sqrt(1 / 27))) < 0.03
    bound = math.sqrt(6 / 256) / 30
    assert abs(second.std() - math.hypot(0.1 / 30, bound / math.sqrt(3))) < 1e-4
    for layer in noisy.field.network.weights[1:]:
        assert layer.abs().max() <= bound
    assert plain.field.encoding.weight.abs().max() <= 1 / 3
    assert plain.field.network.weights[0].abs().max() <= bound


def test_more_omega_means_finer_detail(make):
    def roughness(case, omega):
        voxels = make(case, Grid((16, 16, 16)), omega=omega, positive=False).voxels(
            Grid((16, 16, 16))
        )
        return float((voxels.diff(dim=-1).square().mean() / voxels.var()).detach())

    for case in ("siren", "hsiren", "fourier"):
        assert roughness(case, 2.0) < 0.5 * roughness(case, 12.0)
