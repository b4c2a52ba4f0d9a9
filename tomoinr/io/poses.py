"""Poses in files: our own JSON, which loses nothing, and what plugins know."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, reason, told_plainly
from tomoinr.geometry import Poses
from tomoinr.io.atomic import publish
from tomoinr.plugins import Plugins

CONVENTION = (
    "A point (x, y, z), right-handed, origin at the box's centre, tilt axis y, beam along z, lands "
    "at Rz(rotation) Rx(out_of_plane) Ry(tilt) (x, y, z) + (dx, dy): degrees, pixels, "
    "Ry(tilt): x' = x cos - z sin, z' = x sin + z cos, Rz from x to y, Rx from y to z."
)


def poses_text(poses: Poses, series: TiltSeries) -> str:
    """Poses as JSON: for each image its section, nominal angle (°), angles (°), shifts (pixels)."""
    exact = Poses(poses.rotation.detach().double(), poses.shift.detach().double()).angles()
    found = exact._replace(dx=exact.dx / series.pixel_size, dy=exact.dy / series.pixel_size)
    columns = {"section": list(series.sections), "angle": series.angles.tolist()}
    columns |= {name: values.tolist() for name, values in found._asdict().items()}
    tilts = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    content = {"convention": CONVENTION, "pixel_size": series.pixel_size, "tilts": tilts}
    return json.dumps(content, indent=1) + "\n"


def read_poses(
    path: str | Path, series: TiltSeries | None = None, plugins: Plugins | None = None
) -> Poses:
    """The poses in a file, shifts in Å; other formats than poses.json need the series they fit."""
    path = Path(path)
    if not path.is_file():
        raise TomoinrError(f"{path}: no poses can be read from it: there is no such file")
    if series is not None and path.suffix.lower() != ".json":
        with told_plainly(f"{path}: no poses can be read from it"):
            found = (plugins or Plugins()).read_poses(path, series)
        if found is not None:
            missing = (~found.shift.isfinite().all(1)).nonzero()[:, 0].tolist()
            if missing:
                where = series.sections[missing[0]]
                raise TomoinrError(f"{path}: holds no pose for image {where}")
            return found
    return _of_series(*_read_json(path), series, path)


def write_poses(
    path: str | Path,
    poses: Poses,
    series: TiltSeries,
    force: bool = False,
    plugins: Plugins | None = None,
) -> list[Path]:
    """Poses in the format that the suffix names: poses.json, or what a plugin knows."""
    path = Path(path)
    texts = {path: poses_text(poses, series)}
    if path.suffix.lower() != ".json":
        with told_plainly(f"{path}: cannot be written"):
            texts = (plugins or Plugins()).write_poses(path, poses, series)
    if not texts:
        raise TomoinrError(f"{path}: no writer of poses knows the suffix '{path.suffix}'")
    publish(texts, force)
    return list(texts)


def _read_json(path: Path) -> tuple[Poses, list[int]]:
    """Poses, and the numbers of their images."""
    try:
        content = json.loads(path.read_text("utf-8"))
        names = ("tilt", "rotation", "out_of_plane", "dx", "dy")
        rows = [[float(tilt[name]) for name in names] for tilt in content["tilts"]]
        sections = [int(tilt.get("section", i)) for i, tilt in enumerate(content["tilts"])]
        table = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(names))
        if not bool(table.isfinite().all()):
            raise ValueError("an angle or shift is not a finite number")
        tilt, rotation, out_of_plane = table[:, :3].T
        shift = table[:, 3:] * float(content["pixel_size"])
        return Poses.of(tilt, rotation, out_of_plane, shift), sections
    except KeyError as error:
        raise TomoinrError(f"{path}: no poses can be read from it: it holds no {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise TomoinrError(f"{path}: no poses can be read from it: {reason(error)}") from error


def _of_series(poses: Poses, sections: list[int], series: TiltSeries | None, path: Path) -> Poses:
    """Those of the series' images, found by their numbers where some were left out."""
    if series is None or len(sections) == len(series.sections):
        return poses
    place = {section: i for i, section in enumerate(sections)}
    missing = [section for section in series.sections if section not in place]
    if missing:
        raise TomoinrError(
            f"{path}: holds {len(sections)} poses, but none for image {missing[0]} of "
            f"{len(series.sections)}"
        )
    return poses.some([place[section] for section in series.sections])
