"""Which channel leads: poses are found from it, and it shows the others where edges run."""

from __future__ import annotations

import torch
from torch import Tensor

from tomoinr.builtin.coarse import filled
from tomoinr.builtin.fused.counts import Counting
from tomoinr.data import Alignment, Channel, TiltSeries
from tomoinr.geometry import Poses


def recorded(series: TiltSeries) -> tuple[Channel, ...]:
    """How each channel was recorded, said or not."""
    return series.recorded or tuple(Channel(name) for name in series.channels)


def leading(series: TiltSeries) -> int:
    """The channel named for it (`leads`), else the one that tells most above its noise."""
    channels = recorded(series)
    named = [i for i, channel in enumerate(channels) if channel.leads]
    return max(named or range(len(channels)), key=lambda i: information(series, i))


def information(series: TiltSeries, channel: int) -> float:
    """As many counts as would tell as much."""
    one, how = series.channel(channel), recorded(series)[channel]
    counting = Counting.of(one, how.noise, how.weight)
    counts = counting.counts(one.images).double()
    signal = (counts - counting.background).sum().clamp(min=0)
    return float(signal.square() / counts.sum().clamp(min=1e-30))


def told(series: TiltSeries, channel: int) -> str:
    """Whose poses these are, in a line."""
    name, others = series.channels[channel], len(series.angles) - len(series.views_of(channel))
    more = f"; {others} images that it lacks are placed as their neighbours" if others else ""
    how = "named for it" if recorded(series)[channel].leads else "the strongest signal"
    return f"poses of all channels come from {name} ({how}){more}"


def shared(series: TiltSeries, channel: int, found: Alignment) -> Alignment:
    """Poses of one channel's images for all images of a series."""
    angles = found.poses.angles()
    values = torch.stack((angles.rotation, angles.dx, angles.dy), dim=1)
    turn, *shift = spread(series, channel, values).unbind(1)
    poses = Poses.of(series.angles.cpu().float(), turn, shift=torch.stack(shift, dim=1))
    return Alignment(poses, (told(series, channel), *found.notes))


def spread(series: TiltSeries, channel: int, values: Tensor) -> Tensor:
    """Values (images, K) of a channel's images for all images: between neighbours in tilt."""
    seen = torch.zeros(len(series.angles), dtype=torch.bool)
    seen[series.views_of(channel)] = True
    if bool(seen.all()):
        return values
    everyone = values.new_zeros((len(seen), values.shape[1]))
    everyone[seen] = values
    return filled(series.angles.cpu(), seen, everyone.cpu()).to(values)
