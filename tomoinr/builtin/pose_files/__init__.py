"""Poses in the files of other programs: IMOD's and AreTomo's."""

from __future__ import annotations

from pathlib import Path

from tomoinr.builtin.pose_files import aretomo, imod
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.hookspecs import hookimpl


@hookimpl
def tomoinr_read_poses(path: Path, series: TiltSeries) -> Poses | None:
    """IMOD's `.xf`, `.tltxf`, `.tlt`, `.xtilt` and AreTomo's `.aln`."""
    suffix = path.suffix.lower()
    if suffix in imod.READ:
        return imod.read(path, series)
    return aretomo.read(path, series) if suffix == aretomo.SUFFIX else None


@hookimpl
def tomoinr_write_poses(path: Path, poses: Poses, series: TiltSeries) -> dict[Path, str] | None:
    """IMOD's `.xf` with `.tlt` and `.xtilt` beside it; AreTomo's `.aln`."""
    suffix = path.suffix.lower()
    if suffix == imod.WRITTEN:
        return imod.texts(path, poses, series)
    return {path: aretomo.text(path, poses, series)} if suffix == aretomo.SUFFIX else None
