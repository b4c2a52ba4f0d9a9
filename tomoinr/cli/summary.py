"""A finished run as one table: what `--json` prints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tomoinr.data import Reconstruction
from tomoinr.io.reading import UNKNOWN
from tomoinr.recipe import PARTS
from tomoinr.trust import Trust


def summary(
    folder: Path, result: Reconstruction, trust: Trust | None, files: Iterable[str], seconds: float
) -> dict[str, Any]:
    """Files, parts, course, notes and how far to believe it."""
    spacing, last = result.grid.spacing, result.history[-1]
    return {
        "folder": str(folder),
        "files": {name: str(folder / name) for name in files},
        "shape": list(result.voxels.shape),
        "voxel_size": None if spacing == UNKNOWN else spacing,
        "parts": {kind: result.recipe[kind]["name"] for kind in PARTS if kind in result.recipe},
        "steps": last.step,
        "loss": last.loss,
        "seconds": seconds,
        "notes": list(result.notes),
        "trust": trust and _trust(trust),
    }


def _trust(trust: Trust) -> dict[str, Any]:
    """What a script would look at; trust.json has the rest."""
    table = trust.table()
    halves = table["halves"] or {}
    return {
        "warnings": table["warnings"],
        "chi2": table["chi2"]["median"],
        "wedge_power": table["wedge_power"],
        "resolution": halves.get("resolution"),
    }
