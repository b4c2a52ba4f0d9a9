"""The poses that a run starts from: given, kept in a checkpoint, or found now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tomoinr.assemble import rough_alignment
from tomoinr.checkpoint.checkpoints import Checkpoints
from tomoinr.checkpoint.origin import Origin, origin
from tomoinr.data import Alignment, TiltSeries
from tomoinr.geometry import Poses
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe
from tomoinr.team import Team


def start_poses(
    series: TiltSeries,
    recipe: Recipe,
    plugins: Plugins,
    start: Poses | None,
    team: Team,
    checkpoints: Checkpoints | None,
    made: Mapping[str, Any] | None = None,
) -> tuple[Poses | None, tuple[str, ...]]:
    """The poses, none for those of the recorded angles, and how they were found, in words.

    Here checkpoints are told what the run is made from: a resolved recipe, its paths whole, and
    the data.
    """

    def align() -> Alignment | None:
        return None if start else rough_alignment(series, recipe, plugins, made)

    def made_from() -> Origin:
        return origin(recipe, series, start, plugins)

    rough = checkpoints.begin(made_from, team, align) if checkpoints else align()
    return rough or (start, ())
