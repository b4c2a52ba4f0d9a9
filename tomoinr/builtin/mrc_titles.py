"""The tilt axis, where SerialEM and IMOD put it: in a title of the header."""

from __future__ import annotations

import re
from pathlib import Path

from tomoinr.builtin.mrc_claims import Claims
from tomoinr.builtin.mrc_extended import Told

TITLE = re.compile(r"tilt axis (?:rotation )?angle\s*=\s*([-+]?\d{1,3}(?:\.\d*)?)", re.IGNORECASE)


def tilt_axis(name: Path, claims: Claims, told: Told) -> tuple[float | None, tuple[str, ...]]:
    """Degrees counter-clockwise from the columns, and a note; (None, ()) where nothing is said.

    Titles outlive the alignment of the images, after which the axis runs along the columns.
    """
    found = [(i, m) for i, text in enumerate(claims.titles) if (m := TITLE.search(text))]
    if found:
        since, match = found[-1]
        axis, where = float(match[1]), f"a title of the header ({match[0].strip()})"
    elif told.tilt_axis is not None:
        since, axis, where = 0, told.tilt_axis, f"its {told.kind} header"
    else:
        return None, ()
    if _aligned(name, claims.titles, since):
        return None, (f"the tilt axis in {where} is not used: the images were aligned since",)
    return axis, (f"tilt axis from {where}",)


def _aligned(name: Path, titles: tuple[str, ...], since: int) -> bool:
    """Whether a later title, or a suffix that is not ours, tells of aligned images."""
    ours = any(title.startswith("tomoinr") for title in titles[:1])
    moved = any("transformed" in title for title in titles[since:])
    return moved or (name.suffix.lower() == ".ali" and not ours)
