"""Tilts in Velox files: each frame has metadata of its own, of which rosettasciio reads the first.

`/Data/Image/<id>/Metadata` is [byte, frame]: JSON, ended by zeros, with `Stage/AlphaTilt` in
radians.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

MOST = 1 << 20  # bytes of metadata of a frame


def tilts(path: Path, count: int) -> tuple[float, ...] | None:
    """Stage tilts (degrees) of the first stack of so many frames that has them."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "r") as file:
        for image in file["Data"].get("Image", {}).values():
            metadata = image.get("Metadata")
            if metadata is None or metadata.shape[1:] != (count,) or metadata.shape[0] > MOST:
                continue
            found = [_tilt(bytes(metadata[:, frame])) for frame in range(count)]
            angles = [angle for angle in found if angle is not None]
            if len(angles) == count and len(set(angles)) > 1:
                return tuple(angles)
    return None


def _tilt(text: bytes) -> float | None:
    """Degrees, to the thousandth that a stage can be read."""
    try:
        table: Any = json.loads(text.rstrip(b"\0"))
        angle = math.degrees(float(table["Stage"]["AlphaTilt"]))
    except (ValueError, KeyError, TypeError):
        return None
    return round(angle, 3) if math.isfinite(angle) else None
