"""What a report is about: a result's folder, read; what is not there is said, not guessed."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError, reason
from tomoinr.geometry import Grid
from tomoinr.io.provenance import read_provenance
from tomoinr.plugins import Plugins
from tomoinr.report.volume_files import read_series, read_volume

T = TypeVar("T")
ABSENT = "it is not in the folder"
ANGLES = ("section", "angle", "tilt", "rotation", "dx", "dy")


@dataclass(frozen=True, eq=False)
class Subject:
    """A result: `voxels` are (channels, y, z, x); `poses` and `history` are columns by name.

    `result` has images and poses; none where one of them is missing. `missing` says what and why.
    """

    folder: Path
    voxels: np.ndarray
    grid: Grid
    channels: tuple[str, ...]
    result: Reconstruction | None
    recipe: dict[str, Any]
    recipe_text: str
    history: dict[str, list[Any]]
    poses: dict[str, list[float]]
    trust: dict[str, Any]
    provenance: dict[str, Any]
    missing: tuple[str, ...]


def read(
    folder: Path, result: Reconstruction | None = None, plugins: Plugins | None = None
) -> Subject:
    """All there is in a result's folder; volume and images of a result in memory are not read."""
    missing: list[str] = []
    nothing: dict[str, Any] = {}

    def tried(what: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except (OSError, ValueError, KeyError, TypeError, TomoinrError) as error:
            missing.append(f"{what}: {reason(error)}")
            return otherwise

    text = tried("recipe.toml", lambda: _text(folder / "recipe.toml"), "")
    recipe = tried("recipe.toml", lambda: tomllib.loads(text), nothing)
    if result is None:
        voxels, grid, channels = read_volume(folder, recipe, plugins)
        whole = tried("images", lambda: read_series(folder, voxels, channels, grid, plugins), None)
        if whole is not None:
            voxels, channels = _by_channel(whole), whole.series.channels
    else:
        voxels = _by_channel(result)
        grid, channels, whole = result.grid, result.series.channels, result
    return Subject(
        folder,
        voxels,
        grid,
        channels if len(channels) == len(voxels) else tuple(map(str, range(1, len(voxels) + 1))),
        whole,
        recipe,
        text,
        tried("history.csv", lambda: _history(folder / "history.csv"), {}),
        tried("poses.json", lambda: _poses(folder / "poses.json"), {}),
        tried("trust.json", lambda: _trust(folder), {}),
        tried("provenance.json", lambda: _provenance(folder), {}),
        tuple(missing),
    )


def _by_channel(result: Reconstruction) -> np.ndarray:
    return result.voxels if result.voxels.ndim == 4 else result.voxels[None]


def _text(path: Path) -> str:
    if not path.is_file():
        raise TomoinrError(ABSENT)
    return path.read_text("utf-8")


def _history(path: Path) -> dict[str, list[Any]]:
    """Columns; numbers, `None` where a row says nothing, and words for stages."""
    rows = list(csv.DictReader(_text(path).splitlines()))
    names = rows[0] if rows else ("step", "loss")
    return {name: [_cell(name, row.get(name)) for row in rows] for name in names}


def _cell(name: str, text: str | None) -> Any:
    if name == "stage":
        return text or ""
    return float(text) if text else None


def _poses(path: Path) -> dict[str, list[float]]:
    tilts = json.loads(_text(path))["tilts"]
    return {name: [float(tilt[name]) for tilt in tilts] for name in ANGLES}


def _trust(folder: Path) -> dict[str, Any]:
    """What was judged of this very result: an older file belongs to an earlier one."""
    path, volume = folder / "trust.json", folder / "volume.mrc"
    found: dict[str, Any] = json.loads(_text(path))
    if volume.is_file() and path.stat().st_mtime < volume.stat().st_mtime:
        raise TomoinrError("older than the volume: of an earlier result")
    return found


def _provenance(folder: Path) -> dict[str, Any]:
    found = read_provenance(folder)
    if found is None:
        raise TomoinrError(ABSENT)
    return found
