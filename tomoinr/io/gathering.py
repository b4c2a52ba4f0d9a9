"""Several signals of one specimen become one series: all their tilts, in the finest pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tomoinr.data import Channel, NoiseName, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io.reading import UNKNOWN

SAME = 0.15  # degrees: tilts that differ by less are one
FIELD = 0.02  # relative: fields of view that differ by more are two
NOISE = ("measured", "poisson", "gaussian")


@dataclass(frozen=True)
class Signal:
    """What is to be known of one channel besides its images."""

    weight: float = 1.0
    noise: NoiseName = "measured"


def gather(
    series: Mapping[str, TiltSeries],
    signals: Mapping[str, Signal] | None = None,
    poses_from: Sequence[str] = (),
) -> TiltSeries:
    """One series of several channels of the same field, each with its own tilts and pixels.

    Tilts that are recorded alike are one image of all channels that have it. Channels may be
    coarser by whole factors. `poses_from`: channels that poses are found from; none: the one that
    tells most above its noise.
    """
    parts = _single(series)
    known = _checked(parts, signals or {}, poses_from)
    finest = max(parts.values(), key=lambda one: one.shape[2])
    size, factors = _pixel_size(parts, finest), _factors(parts, finest)
    angles, places = _union([one.angles for one in parts.values()])
    images = torch.zeros(len(parts), len(angles), *finest.shape[1:])
    recorded = []
    for c, (name, one) in enumerate(parts.items()):
        factor = factors[name]
        blocks = one.images[0].repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        images[c, places[c]] = blocks
        has = None if len(places[c]) == len(angles) else tuple(sorted(places[c].tolist()))
        recorded.append(
            Channel(
                name,
                known[name].weight,
                known[name].noise,
                size * factor if factor > 1 else None,
                has,
                name in poses_from,
            )
        )
    sources = dict.fromkeys(one.source for one in parts.values())
    return TiltSeries(
        images,
        angles,
        size,
        tuple(parts),
        source=", ".join(sources),
        tilt_axis=_axis(parts),
        notes=tuple(_told(parts, places, factors, len(angles))),
        recorded=tuple(recorded),
    )


def described(series: TiltSeries, signals: Mapping[str, Signal], lead: Sequence[str]) -> TiltSeries:
    """A series of several channels with what is known of them."""
    known = _checked(dict.fromkeys(series.channels, series), signals, lead)
    recorded = tuple(
        Channel(name, known[name].weight, known[name].noise, leads=name in lead)
        for name in series.channels
    )
    return replace(series, recorded=recorded)


def _single(series: Mapping[str, TiltSeries]) -> dict[str, TiltSeries]:
    """Series of one channel each, by name; one that holds several is taken apart."""
    found: dict[str, TiltSeries] = {}
    for name, one in series.items():
        several = len(one.channels) > 1
        for number, own in enumerate(one.channels):
            key = own if several else name
            if key in found:
                raise TomoinrError(f"{one.source}: there is a channel '{key}' already; rename one")
            found[key] = one.channel(number)
    return found


def _checked(
    parts: Mapping[str, TiltSeries], signals: Mapping[str, Signal], poses_from: Iterable[str]
) -> dict[str, Signal]:
    """What is known of every channel; refuses names that none has."""
    for name in (*signals, *poses_from):
        if name not in parts:
            raise TomoinrError(f"there is no channel '{name}'; there are {', '.join(parts)}")
    known = {name: signals.get(name, Signal()) for name in parts}
    for name, signal in known.items():
        if not 0 < signal.weight < float("inf"):
            raise TomoinrError(f"channel '{name}': weight must be above 0, got {signal.weight}")
        if signal.noise not in NOISE:
            listed = ", ".join(NOISE)
            raise TomoinrError(f"channel '{name}': noise is one of {listed}, got {signal.noise!r}")
    return known


def _factors(parts: Mapping[str, TiltSeries], finest: TiltSeries) -> dict[str, int]:
    """How many times coarser each channel is; refuses other fields of view."""
    found = {}
    for name, one in parts.items():
        factor = max(1, round(finest.shape[2] / one.shape[2]))
        if tuple(factor * n for n in one.shape[1:]) != finest.shape[1:]:
            rows, columns = one.shape[1:]
            tall, wide = finest.shape[1:]
            raise TomoinrError(
                f"{one.source}: channel '{name}' has {rows} × {columns} pixels and {finest.source} "
                f"{tall} × {wide}, which is no whole number of times as many; crop or bin one of "
                "them so that both show the same field"
            )
        found[name] = factor
    return found


def _pixel_size(parts: Mapping[str, TiltSeries], finest: TiltSeries) -> float:
    """Of the finest, in Å, from whichever knows; refuses sizes that contradict."""
    fields = {n: s.pixel_size * s.shape[2] for n, s in parts.items() if s.pixel_size != UNKNOWN}
    if not fields:
        return UNKNOWN
    first, field = next(iter(fields.items()))
    for name, other in fields.items():
        if abs(other / field - 1) > FIELD:
            raise TomoinrError(
                f"{parts[name].source}: channel '{name}' shows a field {other:g} Å wide and "
                f"'{first}' one of {field:g} Å; correct the pixel sizes, or crop to the same field"
            )
    return field / finest.shape[2]


def _axis(parts: Mapping[str, TiltSeries]) -> float:
    """Where the tilt axis runs, as the channels agree."""
    axes = {name: one.tilt_axis for name, one in parts.items()}
    told = {axis for axis in axes.values() if axis}
    if len(told) > 1:
        listed = ", ".join(f"{name} {axis:g}°" for name, axis in axes.items())
        raise TomoinrError(f"channels differ in their tilt axis ({listed}); give one (--tilt-axis)")
    return next(iter(told), 0.0)


def _union(angles: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """All tilts, those of the first channel first, and the places of each channel's images."""
    together, places = angles[0].clone(), [torch.arange(len(angles[0]))]
    for own in angles[1:]:
        place = torch.empty(len(own), dtype=torch.long)
        free = torch.ones(len(together), dtype=torch.bool)
        for i, angle in enumerate(own):
            off = torch.where(free, (together - angle).abs(), torch.inf)
            at = int(off.argmin()) if len(off) else 0
            if float(off[at]) < SAME:
                place[i], free[at] = at, False
            else:
                place[i] = len(together)
                together = torch.cat((together, angle[None]))
                free = torch.cat((free, torch.zeros(1, dtype=torch.bool)))
        places.append(place)
    return together, places


def _told(
    parts: Mapping[str, TiltSeries],
    places: Sequence[Tensor],
    factors: Mapping[str, int],
    tilts: int,
) -> Iterable[str]:
    """A line a channel."""
    for (name, one), place in zip(parts.items(), places, strict=True):
        _, rows, columns = one.shape
        lacking = f", of {tilts} tilts in all" if len(place) < tilts else ""
        coarse = f", pixels {factors[name]} times as large" if factors[name] > 1 else ""
        yield f"{name}: {len(place)} images of {rows} × {columns}{lacking}{coarse} ({one.source})"
