"""Which channel leads: poses are found from it, and it shows the others where edges run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from tomoinr.builtin.coarse import filled, matched
from tomoinr.builtin.fused.counts import Counting
from tomoinr.data import Alignment, Channel, TiltSeries
from tomoinr.geometry import Poses


def recorded(series: TiltSeries) -> tuple[Channel, ...]:
    """How each channel was recorded, said or not."""
    return series.recorded or tuple(Channel(name) for name in series.channels)


def leaders(series: TiltSeries) -> list[int]:
    """The channels that poses are found from, first the one that tells most above its noise.

    Those named for it (`leads`), else that one alone.
    """
    channels = recorded(series)
    named = [i for i, channel in enumerate(channels) if channel.leads]
    told = sorted(named or range(len(channels)), key=lambda i: -information(series, i))
    return told if named else told[:1]


def leading(series: TiltSeries) -> int:
    """The channel that shows the others where edges run."""
    return leaders(series)[0]


def information(series: TiltSeries, channel: int) -> float:
    """As many counts as would tell as much."""
    one, how = series.channel(channel), recorded(series)[channel]
    counting = Counting.of(one, how.noise, how.weight)
    counts = counting.counts(one.images).double()
    signal = (counts - counting.background).sum().clamp(min=0)
    return float(signal.square() / counts.sum().clamp(min=1e-30))


def told(series: TiltSeries, channels: Sequence[int]) -> str:
    """Whose poses these are, in a line."""
    names = " and ".join(series.channels[channel] for channel in channels)
    lacking = int((~seen_by(series, channels)).sum())
    how, who = "together", "they lack"
    if len(channels) == 1:
        named = recorded(series)[channels[0]].leads
        how, who = "named for it" if named else "the strongest signal", "it lacks"
    more = f"; {lacking} images that {who} are placed as their neighbours" if lacking else ""
    return f"poses of all channels come from {names} ({how}){more}"


def shared(series: TiltSeries, align: Callable[[TiltSeries], Alignment]) -> Alignment:
    """Poses of the first leading channel's images; of the next one's where that has none; of all.

    Images that none of them has are placed between their neighbours in tilt.
    """
    channels = leaders(series)
    values, seen, notes = torch.zeros(len(series.angles), 3), seen_by(series, ()), []
    for channel in channels:
        views = torch.tensor(series.views_of(channel))
        if bool(seen[views].all()):
            continue
        found = align(series.channel(channel))
        angles, lacking = found.poses.angles(), ~seen[views]
        shift = torch.stack((angles.dx, angles.dy), dim=1)
        shift = matched(
            shift, values[views, 1:], series.angles[views].cpu(), angles.rotation, ~lacking
        )
        pose = torch.cat((angles.rotation[:, None], shift), dim=1)
        values[views[lacking]] = pose[lacking]
        seen[views] = True
        name = f"{series.channels[channel]}: " if len(channels) > 1 else ""
        notes += [name + note for note in found.notes]
    values = spread(series.angles, seen, values)
    poses = Poses.of(series.angles.cpu().float(), values[:, 0], shift=values[:, 1:])
    return Alignment(poses, (told(series, channels), *notes))


def seen_by(series: TiltSeries, channels: Iterable[int]) -> Tensor:
    """Which images any of these channels has: (T,), on the CPU."""
    seen = torch.zeros(len(series.angles), dtype=torch.bool)
    for channel in channels:
        seen[series.views_of(channel)] = True
    return seen


def spread(degrees: Tensor, seen: Tensor, values: Tensor) -> Tensor:
    """Values (images, K) of the images seen for all images: between neighbours in tilt."""
    return filled(degrees.cpu(), seen, values.cpu()).to(values)
