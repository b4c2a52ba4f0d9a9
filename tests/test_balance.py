"""Every image's own brightness, found and undone."""

import pytest
import torch

from tomoinr import TiltSeries, reconstruct
from tomoinr.builtin.auto.balance import brightness
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score

TILTS = 9


def uneven():
    """What is there, how it shows, and by which gains and offsets, of average one."""
    random = torch.Generator().manual_seed(0)
    there = torch.rand(2, TILTS, 12, 10, generator=random)
    gain = torch.exp(0.2 * torch.randn(2, TILTS, generator=random))
    gain = gain / gain.log().mean(1, keepdim=True).exp()
    offset = 0.3 * torch.randn(2, TILTS, generator=random)
    return there, gain, offset


def series(images) -> TiltSeries:
    return TiltSeries(images, torch.linspace(-60, 60, TILTS), channels=("one", "two"))


def test_gain_and_offset_are_found_and_undone() -> None:
    there, gain, offset = uneven()
    shown = series(there * gain[..., None, None] + offset[..., None, None])
    found = brightness(shown, there, torch.ones_like(there), "both")
    torch.testing.assert_close(found.gain, gain)
    torch.testing.assert_close(found.offset, offset, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.undone(shown).images, there, atol=1e-5, rtol=1e-4)


def test_pixels_without_weight_do_not_count() -> None:
    there, gain, _ = uneven()
    shown = there * gain[..., None, None]
    shown[..., :3] = 100
    weights = torch.ones_like(there)
    weights[..., :3] = 0
    found = brightness(series(shown), there, weights, "gain")
    torch.testing.assert_close(found.gain, gain)
    assert float(found.offset.abs().max()) < 1e-6


def test_a_blank_image_has_no_gain() -> None:
    there, _, _ = uneven()
    shown = there.clone()
    shown[:, 4] = 0
    found = brightness(series(shown), there, torch.ones_like(there), "gain")
    torch.testing.assert_close(found.gain, torch.ones_like(found.gain))


def test_noise_is_not_taken_for_gains() -> None:
    random = torch.Generator().manual_seed(1)
    there = torch.rand(1, 41, 12, 10, generator=random)
    shown = there + torch.randn(there.shape, generator=random)
    angles, ones = torch.linspace(-60, 60, 41), torch.ones_like(there)
    squares = (there * there).sum((2, 3))
    naive = (shown * there).sum((2, 3)) / squares
    even = brightness(TiltSeries(shown, angles), there, ones, "gain").gain
    assert float((even - 1).std()) < 0.5 * float(naive.std())


@pytest.mark.parametrize("drift", [0.0, 0.15])
def test_a_drift_is_evened_out_and_no_drift_costs_nothing(drift: float) -> None:
    acquisition = Acquisition(tuple(range(-60, 61, 4)), dose=30, gain_drift=drift)
    made = simulate("core_shell", (24, 24, 24), acquisition, seed=0)

    def quality(balance: str) -> float:
        solver = {"name": "auto", "balance": balance}
        found = reconstruct(made.series(), poses="fixed", quality="fast", solver=solver)
        return score(found.voxels, made.truth).ssim

    gain = quality("gain") - quality("none")
    assert gain > 0.002 if drift else gain > -0.001
