"""Every hook a plugin may implement. All start with `tomoinr_`."""

from __future__ import annotations

from pathlib import Path

import pluggy

from tomoinr.data import Alignment, Reconstruction, Record, TiltSeries
from tomoinr.geometry import Poses
from tomoinr.interfaces import PoseModel, Preparation, Prior, Problem, Projector, Solver, Volume
from tomoinr.stack import Stack

PROJECT = "tomoinr"
spec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@spec
def tomoinr_volumes() -> list[type[Volume]]:  # type: ignore[empty-body]
    """Volume classes; asked once, when plugins are collected."""


@spec
def tomoinr_pose_models() -> list[type[PoseModel]]:  # type: ignore[empty-body]
    """Pose model classes; asked once, when plugins are collected."""


@spec
def tomoinr_projectors() -> list[type[Projector]]:  # type: ignore[empty-body]
    """Projector classes; asked once, when plugins are collected."""


@spec
def tomoinr_solvers() -> list[type[Solver]]:  # type: ignore[empty-body]
    """Solver classes; asked once, when plugins are collected."""


@spec
def tomoinr_priors() -> list[type[Prior]]:  # type: ignore[empty-body]
    """Prior classes; asked once, when plugins are collected."""


@spec
def tomoinr_preparations() -> list[type[Preparation]]:  # type: ignore[empty-body]
    """Preparation classes; asked once, when plugins are collected."""


@spec(firstresult=True)
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | TiltSeries | None:
    """What a file says of its images; `None`: not a file of mine. May be asked of a folder.

    `pixel_size` (Å): what the user gave; the file's own, right or wrong, is then not needed.
    """


@spec(firstresult=True)
def tomoinr_write(path: Path, value: TiltSeries | Reconstruction, order: str) -> bool | None:
    """Write to `path` (a temporary name with the final suffix); `None`: not a format of mine.

    `order` of a volume: `imod` = [y, z, x] as held, `xyz` = [-z, y, x].
    """


@spec(firstresult=True)
def tomoinr_read_poses(path: Path, series: TiltSeries) -> Poses | None:
    """The poses of a series' images, shifts in Å; `None`: not a file of mine.

    Not finite: the file has none for that image.
    """


@spec(firstresult=True)
def tomoinr_write_poses(path: Path, poses: Poses, series: TiltSeries) -> dict[Path, str] | None:
    """Files and their texts, for poses that are to go to `path`; `None`: not a format of mine."""


@spec(firstresult=True)
def tomoinr_align(series: TiltSeries) -> Alignment | None:
    """Poses to start from, before anything is reconstructed; `None`: leave it to another.

    Asked where poses are to be learned and none are given.
    """


@spec
def tomoinr_libraries() -> dict[str, str]:  # type: ignore[empty-body]
    """What a plugin stands on, by name: the version, and what of it can be used here."""


@spec
def tomoinr_stepped(record: Record, problem: Problem) -> None:
    """Called on rank 0 after every logged step; what it returns or raises stops nothing."""
