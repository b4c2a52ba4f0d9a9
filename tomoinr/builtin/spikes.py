"""Lone wild pixels: hot or dead ones, cosmic rays, X-rays."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.blur import contrasts

LONELY = 4.0  # times farther from the median than all but one neighbour, or than images vary


def despiked(images: Tensor) -> Tensor:
    """Images (..., rows, columns) whose lone pixels, hot or dead, show what is around them."""
    if min(images.shape[-2:]) < 2:
        return images
    stack = images.reshape(-1, *images.shape[-2:])
    high, found = LONELY * contrasts(stack).median(), stack
    for number, image in enumerate(stack):
        quiet = _without_spikes(image, high)
        if not torch.equal(quiet, image):
            found = stack.clone() if found is stack else found
            found[number] = quiet
    return found.reshape(images.shape)


def _without_spikes(image: Tensor, high: Tensor) -> Tensor:
    """Pixels go that are far from the median around them, as is at most one neighbour."""
    around = functional.pad(image[None, None], (1, 1, 1, 1), mode="reflect")
    around = functional.unfold(around, 3)[0].reshape(9, *image.shape)
    usual = around.median(0).values
    off = (around - usual).abs()
    others = torch.cat((off[:4], off[5:])).topk(2, dim=0).values[1]
    return torch.where(off[4] > torch.maximum(high, LONELY * others), usual, image)
