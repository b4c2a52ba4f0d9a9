"""How far a reconstruction can be believed: all of it, for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.builtin.fused.leading import leading
from tomoinr.data import Reconstruction
from tomoinr.doing import doing
from tomoinr.io import check_folder
from tomoinr.io import save as save_volume
from tomoinr.io.atomic import atomic, made
from tomoinr.io.reading import UNKNOWN
from tomoinr.plugins import Plugins
from tomoinr.recipe import Quality
from tomoinr.team import Team
from tomoinr.trust.again import moderate, one_channel
from tomoinr.trust.doubts import warnings
from tomoinr.trust.halves import LEVELS, SHARED, Halves, can_be_halved, halves
from tomoinr.trust.residuals import PerTilt, residuals
from tomoinr.trust.uncertainty import UNSEEN, Uncertainty, uncertainty
from tomoinr.trust.wedge import filled

FILES = ("trust.json", "uncertainty.mrc")


@dataclass(frozen=True, eq=False)
class Trust:
    """What speaks for a result, and against it; `warnings` is empty where nothing does."""

    channel: str
    residuals: PerTilt
    wedge: float  # power there over power at measured frequencies
    halves: Halves | None  # none where there are too few tilts for two
    uncertainty: Uncertainty | None
    warnings: tuple[str, ...]
    of_several: bool = False  # channels, of which this one was judged

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """For people: warnings last, where they are seen."""
        if self.of_several:
            yield f"judged by {self.channel} alone; the other channels share its poses"
        fit = self.residuals
        worst = fit.chi2.argmax()
        yield (
            f"images: median χ² {fit.usual:.2g}, worst {fit.chi2[worst]:.2g} in section "
            f"{fit.sections[worst]} ({fit.angles[worst]:.4g}°)"
        )
        if self.halves:
            yield from _halves_lines(self.halves)
        if not math.isnan(self.wedge):
            yield f"wedge: {self.wedge:.0%} of the power at measured frequencies as fine"
        if self.uncertainty:
            yield f"expected error of a voxel: {_rms(self.uncertainty):.3g} rms; {UNSEEN}"
        yield from (f"warning: {line}" for line in self.warnings)
        if not self.warnings:
            yield "no warnings"

    def table(self) -> dict[str, Any]:
        """For programs: plain numbers, lists and strings, with no NaN."""
        found: dict[str, Any] = {
            "channel": self.channel,
            "warnings": list(self.warnings),
            "chi2": {"median": self.residuals.usual, "tilts": _tilts(self.residuals)},
            "wedge_power": self.wedge,
            "halves": _halves_table(self.halves) if self.halves else None,
            "uncertainty": _uncertainty_table(self.uncertainty) if self.uncertainty else None,
        }
        plain: dict[str, Any] = _finite(found)
        return plain


def assess(
    result: Reconstruction,
    full: bool = False,
    channel: int | None = None,
    members: int = 4,
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> Trust:
    """Judge one channel of a result (none: the leading one); that costs about half a fast run.

    `full` runs the result's own recipe again, poses held: on each half of the tilts, and
    `members` times for the uncertainty of every voxel.
    """
    several = len(result.series.channels) > 1
    channel = (leading(result.series) if several else 0) if channel is None else channel
    result, factor = moderate(one_channel(result, channel))
    with doing("trust: comparing the images with the volume"):
        fit, wedge = residuals(result), filled(result.voxels, result.poses.angles().tilt.numpy())
    quality: Quality | None = None if full else "fast"
    compared = error = None
    if can_be_halved(result.series):
        compared = halves(result, quality, plugins, team)
    if full and compared:
        error = uncertainty(result, members, None, compared, plugins, team)
    told = warnings(result, fit, wedge, compared)
    if factor != 1:  # back to the images' own units
        error = error and replace(error, voxels=error.voxels / factor)
        compared = compared and compared.scaled(1 / factor)
    name = result.series.channels[0]
    return Trust(name, fit, wedge, compared, error, told, several)


def save(
    folder: str | Path,
    trust: Trust,
    result: Reconstruction,
    order: str = "imod",
    force: bool = False,
    plugins: Plugins | None = None,
) -> tuple[str, ...]:
    """Write trust.json and, if it is known, uncertainty.mrc; the names of what was written.

    Forced, an uncertainty.mrc of an earlier result goes.
    """
    folder, files = Path(folder), FILES if trust.uncertainty else FILES[:1]
    check_folder(folder, files, force)
    with made(folder):
        if force:
            (folder / "uncertainty.mrc").unlink(missing_ok=True)
        if trust.uncertainty:
            channel = result.series.channels.index(trust.channel)
            volume = replace(one_channel(result, channel), voxels=trust.uncertainty.voxels)
            save_volume(folder / "uncertainty.mrc", volume, force, order, plugins)
        with atomic(folder / "trust.json", force) as path:
            path.write_text(json.dumps(trust.table(), indent=1, allow_nan=False) + "\n", "utf-8")
    return files


def _halves_lines(compared: Halves) -> Iterator[str]:
    fine, coarse = (compared.resolution(level) for level in LEVELS)
    measured, wedge = compared.curves.means()
    yield (
        f"halves: correlation {measured:.2f} where tilts measured, {wedge:.2f} in the wedge; it "
        f"falls below {LEVELS[0]} at {_length(fine, compared)}, below {LEVELS[1]} at "
        f"{_length(coarse, compared)}"
    )
    yield f"  ({SHARED})"


def _length(resolution: float, compared: Halves) -> str:
    if math.isnan(resolution):
        return "no scale (it never was above)"
    finest = resolution <= 2.001 * compared.spacing
    unit = "voxels" if compared.spacing == UNKNOWN else "Å"
    return f"{resolution:.3g} {unit}{' (the lattice ends there)' if finest else ''}"


def _tilts(fit: PerTilt) -> list[dict[str, Any]]:
    columns = (fit.sections, *(v.tolist() for v in (fit.angles, fit.chi2, fit.relative, fit.score)))
    names = ("section", "angle", "chi2", "relative", "score")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _halves_table(compared: Halves) -> dict[str, Any]:
    curves = {name: curve.tolist() for name, curve in compared.curves._asdict().items()}
    resolution = {str(level): compared.resolution(level) for level in LEVELS}
    return curves | {"resolution": resolution, "caveat": SHARED}


def _uncertainty_table(error: Uncertainty) -> dict[str, Any]:
    return {
        "rms": _rms(error),
        "members": error.members,
        "factor": error.factor,
        "caveat": UNSEEN,
    }


def _rms(error: Uncertainty) -> float:
    return float(np.sqrt(np.square(error.voxels, dtype=np.float64).mean()))


def _finite(value: Any) -> Any:
    """The same, with `None` for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
