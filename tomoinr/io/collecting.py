"""Channels of several files, or of one: a recipe's tables [[data.channel]] become one series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tomoinr.data import NoiseName, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Preparation
from tomoinr.io.gathering import Signal, described, gather
from tomoinr.io.reading import UNKNOWN, describe, take
from tomoinr.options import option
from tomoinr.plugins import Plugins

UNNAMED = ("signal",)


@dataclass(frozen=True)
class ChannelFile:
    """A table [[data.channel]]: another signal of the same specimen, or more on one of [data]."""

    name: str = option("", "the channel's name, as in Ti")
    stack: str | None = option(None, "its file; none: this table describes a channel of [data]")
    angles: str | tuple[float, ...] | None = option(
        None, "as in [data]; none: beside its stack, in it, or those of [data] if as many"
    )
    pixel_size: float | None = option(
        None, "in Å; none: as its file says, or such that both show the same field"
    )
    weight: float = option(1.0, "how many times its pixels count")
    noise: NoiseName = option("measured", "its kind: counts are found out, or may be said")
    exclude: str = option("", "images left out, by their numbers from 0")
    poses: bool = option(False, "poses are found from it; none: the strongest signal")


def collect(
    first: TiltSeries,
    files: Sequence[ChannelFile],
    plugins: Plugins | None = None,
    prepare: Sequence[Preparation] = (),
) -> TiltSeries:
    """A series with the channels of other files, each prepared by itself, and all described."""
    if not files:
        return first
    if not all(one.name for one in files):
        raise TomoinrError('[[data.channel]]: a channel has no name; add name = "…"')
    names = [one.name for one in files]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TomoinrError(f"[[data.channel]]: two channels are called '{twice}'; rename one")
    signals = {one.name: Signal(one.weight, one.noise) for one in files}
    lead = [one.name for one in files if one.poses]
    first = _named(first, [one for one in files if not one.stack])
    others = {one.name: _read(one, first, plugins, prepare) for one in files if one.stack}
    if not others:
        return described(first, signals, lead)
    return gather({first.channels[0]: first, **others}, signals, lead)


def _named(first: TiltSeries, tables: Sequence[ChannelFile]) -> TiltSeries:
    """The series of [data], its only channel named as a table says, or else after its file."""
    if first.channels != UNNAMED:
        return first
    named = [one.name for one in tables]
    if len(named) > 1:
        raise TomoinrError(
            f"[[data.channel]]: {', '.join(named)} name no stack, but [data] holds one channel only"
        )
    return replace(first, channels=(named[0] if named else Path(first.source).stem,))


def _read(
    file: ChannelFile,
    first: TiltSeries,
    plugins: Plugins | None,
    prepare: Sequence[Preparation],
) -> TiltSeries:
    """The images of one file, turned as the first's are."""
    assert file.stack is not None, "only these are read"
    angles = file.angles
    try:
        stack = describe(file.stack, angles, plugins, file.pixel_size)
    except TomoinrError as error:
        if angles is not None or "no tilt angles" not in str(error):
            raise
        stack = describe(file.stack, tuple(first.angles.tolist()), plugins, file.pixel_size)
    if len(stack.channels) != 1:
        raise TomoinrError(
            f"{file.stack}: holds {len(stack.channels)} channels; give files of one, or this file "
            "alone as the stack of [data]"
        )
    series = take(stack, file.exclude, prepare)
    size = UNKNOWN if stack.pixel_size is None else series.pixel_size
    return replace(series, channels=(file.name,), pixel_size=size)
