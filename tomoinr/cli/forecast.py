"""How long a run would take, and how much memory: measured on small copies of the same data.

Solvers that take a number of steps: a few steps are timed on a copy of up to 64 pixels, and on one
of half that size where the data are larger still, which tells how a step's time grows. Others, as
the automatic one, are run to the end on two smaller copies; their time grows with images × voxels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from tomoinr.api import reconstruct
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.recipe import Recipe

TIMED, WHOLE = 64, 28  # pixels along the edge of the larger copy: to time steps, to be run whole
LEAST = 12  # pixels, of any copy
SHARE = 0.6  # of the width of the data, at most, where a copy is run whole
FEW, MORE = 2, 6  # steps that are timed
GROWTH = (2.0, 3.5)  # powers of the size with which a step's time may grow
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Forecast:
    """Seconds and bytes of a run, the steps it takes, and how that was found out."""

    seconds: float
    memory: float  # of the whole process; NaN: unknown
    steps: int
    copies: tuple[int, ...]  # their widths, pixels
    spent: float  # seconds of measuring


class Measured(NamedTuple):
    """A run on a copy of the data."""

    series: TiltSeries
    seconds: float
    memory: float  # bytes that it added at most
    steps: int


def forecast(
    series: TiltSeries, recipe: Recipe, clock: Callable[[], float] = time.perf_counter
) -> Forecast:
    """Of a resolved recipe on a series; reads the clock named."""
    begun = clock()
    solver = recipe.solver
    steps = int(solver.options.get("steps", 0)) if solver else 0
    width = max(series.shape[1:])
    found = _by_steps if steps > MORE else _by_whole_runs
    sizes = _sizes(width, TIMED if steps > MORE else WHOLE, whole=steps <= MORE)
    counted = solver is not None and "steps" in solver.options
    _measured(copy(series, LEAST), recipe, FEW if counted else None, clock)  # what is done once
    seconds, runs = found(series, recipe, sizes, steps, clock)
    return Forecast(
        seconds,
        _memory(series, recipe, runs),
        steps or runs[-1].steps,
        tuple(run.series.shape[2] for run in runs),
        clock() - begun,
    )


def _sizes(width: int, most: int, whole: bool) -> tuple[int, ...]:
    """Widths of the copies that are measured, the larger last."""
    if not whole and width <= most:
        return (width,)
    large = min(most, max(round(SHARE * width), LEAST + 4))
    return LEAST if whole else large // 2, large


def copy(series: TiltSeries, width: int) -> TiltSeries:
    """The series with images averaged down to a width; as they are, if that is no smaller."""
    _, rows, columns = series.shape
    share = width / max(rows, columns)
    if share >= 1:
        return series
    size = (max(LEAST, round(rows * share)), max(LEAST, round(columns * share)))
    images = torch.stack(
        [functional.adaptive_avg_pool2d(image, size) for image in series.images.movedim(1, 0)], 1
    )
    return TiltSeries(
        images, series.angles, series.pixel_size / share, series.channels, series.sections
    )


def _by_steps(
    series: TiltSeries,
    recipe: Recipe,
    sizes: tuple[int, ...],
    steps: int,
    clock: Callable[[], float],
) -> tuple[float, list[Measured]]:
    """All steps, from a few of them; where only copies were timed, by how a step's time grows."""
    per_step, before, runs = [], [], []
    for size in sizes:
        small = copy(series, size)
        few, more = (_measured(small, recipe, count, clock) for count in (FEW, MORE))
        step = max((more.seconds - few.seconds) / (MORE - FEW), few.seconds / 100)
        per_step.append(step)
        before.append(max(0.0, few.seconds - FEW * step))
        runs.append(more)
    last = runs[-1].series
    larger = max(series.shape[1:]) / max(last.shape[1:])
    growth = GROWTH[1]
    if len(sizes) > 1:
        ratio = max(last.shape[1:]) / max(runs[0].series.shape[1:])
        growth = min(max(math.log(per_step[1] / per_step[0]) / math.log(ratio), GROWTH[0]), growth)
    seconds = per_step[-1] * larger**growth * steps + before[-1] * larger**3
    return seconds, runs


def _by_whole_runs(
    series: TiltSeries,
    recipe: Recipe,
    sizes: tuple[int, ...],
    steps: int,
    clock: Callable[[], float],
) -> tuple[float, list[Measured]]:
    """A part that is always there, and one that grows with images × voxels."""
    runs = [_measured(copy(series, size), recipe, steps or None, clock) for size in sizes]
    one, other = (_work(run.series, recipe, series) for run in runs)
    slope = max((runs[1].seconds - runs[0].seconds) / (other - one), 0.0)
    return runs[1].seconds + slope * (_work(series, recipe, series) - other), runs


def _work(small: TiltSeries, recipe: Recipe, series: TiltSeries) -> float:
    """Images × voxels."""
    tilts, rows, columns = small.shape
    return float(tilts * rows * columns * _depth(small, recipe, series))


def _depth(small: TiltSeries, recipe: Recipe, series: TiltSeries) -> int:
    """Voxels along the beam of a copy, in proportion."""
    asked = recipe.run.depth
    share = small.shape[2] / series.shape[2]
    return max(LEAST // 2, round(asked * share)) if asked else small.shape[2]


def _memory(series: TiltSeries, recipe: Recipe, runs: list[Measured]) -> float:
    """What the process holds now, and what grows with images and volume."""
    if not STATUS.exists():
        return math.nan
    sizes = [_bytes(run.series, recipe, series) for run in runs]
    if len(runs) == 1:
        return _status("VmRSS") + runs[0].memory
    slope = max((runs[1].memory - runs[0].memory) / (sizes[1] - sizes[0]), 1.0)
    return _status("VmRSS") + slope * _bytes(series, recipe, series)


def _bytes(small: TiltSeries, recipe: Recipe, series: TiltSeries) -> int:
    """Of images and volume, as 32-bit numbers."""
    tilts, rows, columns = small.shape
    depth = _depth(small, recipe, series)
    return 4 * len(small.channels) * rows * columns * (tilts + depth)


def _measured(
    series: TiltSeries, recipe: Recipe, steps: int | None, clock: Callable[[], float]
) -> Measured:
    """Run a recipe on a copy, with so many steps, or all."""
    parts: dict[str, Any] = {
        kind: choice.table()
        for kind in ("volume", "poses", "projector", "solver")
        if (choice := getattr(recipe, kind))
    }
    if recipe.priors:
        parts["priors"] = [prior.table() for prior in recipe.priors]
    known = bool(recipe.data.poses) or not recipe.run.align
    start = Poses.of(series.angles, series.tilt_axis) if known else None
    held, begun = _reset(), clock()
    result = reconstruct(
        series, quality=recipe.run.quality, steps=steps, start=start, seed=recipe.run.seed, **parts
    )
    seconds = clock() - begun
    return Measured(series, seconds, _status("VmHWM") - held, result.history[-1].step)


def _reset() -> float:
    """Forget the most that was held so far, where the system lets us; what is held now."""
    try:
        RESET.write_text("5")
    except OSError:
        return math.nan
    return _status("VmRSS")


def _status(figure: str) -> float:
    """Bytes now resident (`VmRSS`), or the most since `_reset` (`VmHWM`)."""
    if not STATUS.exists():
        return math.nan
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[figure].split()[0]) * 1024.0
