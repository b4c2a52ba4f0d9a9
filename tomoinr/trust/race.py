"""Which representation suits a tilt series: a race, judged by images that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tomoinr.api import reconstruct
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.plugins import Plugins
from tomoinr.team import Team
from tomoinr.trust.held_out import HeldOut, held_out

# The first is kept unless another clearly beats it. Frequencies: twice as many waves each time.
RUNNERS: dict[str, dict[str, Any]] = {
    "voxels": {},
    "grid": {"volume": "grid"},
    "siren, ω = 10": {"volume": {"name": "siren", "omega": 10.0}},
    "siren, ω = 20": {"volume": {"name": "siren", "omega": 20.0}},
    "siren, ω = 40": {"volume": {"name": "siren", "omega": 40.0}},
}
JUDGES, MOST = 4, 8  # images held out, at least; one in so many, at most


class Chosen(NamedTuple):
    """`reconstruct(series, **options, start=poses)` is the choice; `ranked`: the best first."""

    name: str
    options: Mapping[str, Any]
    poses: Poses
    ranked: tuple[HeldOut, ...]


def choose(
    series: TiltSeries,
    choices: Mapping[str, Mapping[str, Any]] | None = None,
    start: Poses | None = None,
    quality: str = "fast",
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> Chosen:
    """Race the choices (names and options of `reconstruct`); none: what is installed of `RUNNERS`.

    All have the same poses: those given, or what the automatic solver finds. The first wins unless
    another predicts images held out better by more than two standard errors.
    """
    plugins = plugins or Plugins()
    choices = choices or {n: o for n, o in RUNNERS.items() if _installed(o, plugins)}
    if start is None:
        start = reconstruct(series, quality="fast", plugins=plugins, team=team).poses
    runs = {name: {"quality": quality, **options} for name, options in choices.items()}
    ranked = held_out(series, runs, start, _every(len(series.angles)), plugins, team)
    usual, best = next(iter(runs)), ranked[0].name
    beaten = any(one.beaten for one in ranked if one.name == usual)
    name = best if beaten else usual
    return Chosen(name, runs[name], start, ranked)


def _installed(options: Mapping[str, Any], plugins: Plugins) -> bool:
    volume = options.get("volume", "voxels")
    return plugins.has("volume", volume if isinstance(volume, str) else volume["name"])


def _every(images: int) -> int:
    """One in so many is held out: few, but enough to judge."""
    return max(2, min(MOST, (images - 1) // JUDGES))
