"""Each image's own brightness: gain and offset, from what the volume says it should show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tomoinr.data import TiltSeries

Balance = Literal["none", "gain", "both"]
Even = Callable[[TiltSeries], TiltSeries]  # makes images of some rows, or all, equally bright


def as_it_is(series: TiltSeries) -> TiltSeries:
    """Where brightness is even already."""
    return series


class Brightness(NamedTuple):
    """image = gain × what is there + offset; both (channels, T)."""

    gain: Tensor
    offset: Tensor

    @property
    def uneven(self) -> float:
        """By what part gains differ (standard deviation)."""
        return float(self.gain.log().std())

    def undone(self, series: TiltSeries) -> TiltSeries:
        """The series as it were, had every image the same brightness."""
        gain, offset = self.gain[..., None, None], self.offset[..., None, None]
        return replace(series, images=series.images.sub(offset).div_(gain))


def brightness(
    series: TiltSeries, explained: Tensor, weights: Tensor, balance: Balance
) -> Brightness:
    """By least squares on weighed pixels (channels, T, rows, columns).

    Gains are one on (geometric) average: the volume's own brightness cannot be told from theirs.
    They are trusted as far as they spread more than noise makes them.
    """
    parts = (explained, series.images, weights.expand_as(explained))
    images = zip(*(part.unbind(1) for part in parts), strict=True)
    fits = [_fit(p, d, w, balance) for p, d, w in images]
    gain, left, power, level, bright = (torch.stack(one, 1) for one in zip(*fits, strict=True))
    gain = _trusted(gain, left.mean(1, keepdim=True) / explained[0, 0].numel() / power)
    gain = gain / gain.log().mean(1, keepdim=True).exp()
    return Brightness(gain.float(), (bright - gain * level).float())


class _Fit(NamedTuple):
    """Of one image, for each channel: what is left of it, the power of what explains it, means."""

    gain: Tensor
    left: Tensor
    power: Tensor
    level: Tensor
    bright: Tensor


def _fit(explained: Tensor, measured: Tensor, weights: Tensor, balance: Balance) -> _Fit:
    """One image (channels, rows, columns) by least squares."""

    def total(values: Tensor) -> Tensor:
        return (weights * values).sum((1, 2)).double()

    level, bright = (total(x) / total(torch.ones_like(x)) for x in (explained, measured))
    if balance == "gain":
        level, bright = torch.zeros_like(level), torch.zeros_like(bright)
    p, d = explained - level[:, None, None], measured - bright[:, None, None]
    power = total(p.square()).clamp(min=1e-30)
    gain = total(p * d) / power
    left = total((d - gain[:, None, None].float() * p).square())
    return _Fit(gain, left, power, level, bright)


def _trusted(gain: Tensor, error: Tensor) -> Tensor:
    """Gains (channels, T) drawn to one by what of their variance is that of their errors."""
    off = torch.where(gain > 0, gain, 1) - 1  # a blank image has none
    real = (off.square() - error).mean(1, keepdim=True).clamp(min=0)
    return 1 + off * real / (real + error).clamp(min=1e-30)
