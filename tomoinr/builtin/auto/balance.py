"""Each image's own brightness: gain and offset, from what the volume says it should show."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tomoinr.data import TiltSeries

Balance = Literal["none", "gain", "both"]


class Brightness(NamedTuple):
    """image = gain × what is there + offset; both (channels, T)."""

    gain: Tensor
    offset: Tensor

    def undone(self, series: TiltSeries) -> TiltSeries:
        """The series as it were, had every image the same brightness."""
        gain, offset = self.gain[..., None, None], self.offset[..., None, None]
        return replace(series, images=(series.images - offset) / gain)


def brightness(
    series: TiltSeries, explained: Tensor, weights: Tensor, balance: Balance
) -> Brightness:
    """By least squares on weighed pixels (channels, T, rows, columns).

    Gains are one on (geometric) average: the volume's own brightness cannot be told from theirs.
    They are trusted as far as they spread more than noise makes them.
    """
    measured = series.images

    def total(values: Tensor) -> Tensor:
        return (weights * values).sum((2, 3)).double()

    mean_p, mean_d = (total(x) / total(torch.ones_like(x)) for x in (explained, measured))
    if balance == "gain":
        mean_p, mean_d = torch.zeros_like(mean_p), torch.zeros_like(mean_d)
    p, d = explained - mean_p[..., None, None], measured - mean_d[..., None, None]
    power = total(p.square()).clamp(min=1e-30)
    gain = total(p * d) / power
    left = total((d - gain[..., None, None].float() * p).square()).mean(1, keepdim=True)
    gain = _trusted(gain, left / p[0, 0].numel() / power)
    gain = gain / gain.log().mean(1, keepdim=True).exp()
    return Brightness(gain.float(), (mean_d - gain * mean_p).float())


def _trusted(gain: Tensor, error: Tensor) -> Tensor:
    """Gains (channels, T) drawn to one by what of their variance is that of their errors."""
    off = torch.where(gain > 0, gain, 1) - 1  # a blank image has none
    real = (off.square() - error).mean(1, keepdim=True).clamp(min=0)
    return 1 + off * real / (real + error).clamp(min=1e-30)
