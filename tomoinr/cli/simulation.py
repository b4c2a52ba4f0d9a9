"""A simulated series on disk, beside everything that is true about it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tomoinr.builtin.simulate import Simulated
from tomoinr.data import Reconstruction
from tomoinr.geometry import Poses
from tomoinr.io import save
from tomoinr.io.atomic import atomic

NAMES = ("stack.mrc", "stack.rawtlt", "truth.mrc", "truth.json")


def write_simulation(taken: Simulated, out: Path, force: bool) -> None:
    """The series, the truth, and everything that is true about it."""
    series = taken.series()
    out.mkdir(parents=True, exist_ok=True)
    save(out / "stack.mrc", series, force)
    truth = Reconstruction(taken.truth, series.grid(), Poses.of(series.angles), (), series)
    save(out / "truth.mrc", truth, force)
    a = taken.acquisition
    names = ("angle", "tilt", "rotation", "dx", "dy", "gain")
    columns = (taken.angles, taken.tilt, taken.phi, taken.dx, taken.dy, taken.gain)
    rows = zip(*columns, strict=True)
    tilts = [dict(zip(names, map(float, row), strict=True)) for row in rows]
    facts: dict[str, Any] = {
        "phantom": taken.phantom,
        "seed": taken.seed,
        "size": list(taken.truth.shape),
        "dose": a.dose if math.isfinite(a.dose) else None,
        "counts_per_unit": taken.counts_per_unit if math.isfinite(taken.counts_per_unit) else None,
        "background": a.background,
        "axis": a.axis,
        "poses": tilts,
    }
    with atomic(out / "truth.json", force) as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
