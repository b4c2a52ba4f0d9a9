"""Blurring: what it does to noise, and that images a few at a time come out alike."""

import pytest
import torch

from tomoinr.builtin import blur


@pytest.mark.parametrize("at_once", [1, 3 * 20 * 30, 1 << 19])
def test_images_are_blurred_each_by_itself(monkeypatch, at_once):
    monkeypatch.setattr(blur, "TOGETHER", at_once)
    images = torch.randn(7, 20, 30, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.cat([blur.smooth(image[None]) for image in images])
    torch.testing.assert_close(blur.smooth(images), one_by_one)
    torch.testing.assert_close(blur.contrasts(images), one_by_one.std((1, 2)))


def test_what_is_flat_stays_and_noise_is_tamed():
    images = torch.full((2, 40, 40), 3.0)
    torch.testing.assert_close(blur.smooth(images), images)
    noise = torch.randn(4, 200, 200, generator=torch.Generator().manual_seed(0))
    left = 1 / (2 * torch.pi**0.5 * blur.WIDTH)
    assert blur.contrasts(noise).mean() == pytest.approx(left, rel=0.05)
