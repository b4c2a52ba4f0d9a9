"""The words of a report: what it is, the few numbers that matter, where it comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tomoinr.io.reading import UNKNOWN
from tomoinr.recipe import PARTS
from tomoinr.report.subject import Subject


class Tile(NamedTuple):
    """One number: what it is, its value, and how to read it."""

    label: str
    value: str
    note: str


def title(subject: Subject) -> str:
    """The data's name."""
    stack = subject.recipe.get("data", {}).get("stack")
    return Path(stack).name if stack else subject.folder.absolute().name


def unit(subject: Subject) -> str:
    """Of lengths: voxels where the pixel size is unknown."""
    return "voxels" if subject.grid.spacing == UNKNOWN else "Å"


def facts(subject: Subject) -> Iterator[tuple[str, str]]:
    """What was reconstructed from what, and how."""
    size = " × ".join(map(str, subject.voxels.shape[1:]))
    spacing = f", {subject.grid.spacing:.4g} Å" if unit(subject) == "Å" else ", pixel size unknown"
    yield "volume", f"{size} voxels [y, z, x]{spacing}"
    if angles := subject.poses.get("angle"):
        yield "images", f"{len(angles)}, {_degrees(min(angles))} to {_degrees(max(angles))}"
    if len(subject.channels) > 1:
        yield "channels", ", ".join(subject.channels)
        if judged := subject.trust.get("channel"):
            yield "judged", f"the channel {judged} alone: numbers, warnings and halves are its own"
    parts = [f"{kind} {subject.recipe[kind]['name']}" for kind in PARTS if kind in subject.recipe]
    if parts:
        yield "made with", ", ".join(parts)
    if seconds := [s for s in subject.history.get("seconds", ()) if s is not None]:
        yield "run", f"{subject.history['step'][-1]:.0f} steps in {_time(seconds[-1])}"


def tiles(subject: Subject) -> Iterator[Tile]:
    """What speaks for the result, in numbers."""
    trust, halves = subject.trust, subject.trust.get("halves")
    if trust:
        worst = max(trust["chi2"]["tilts"], key=lambda tilt: tilt["chi2"] or 0)
        note = f"median; worst {_number(worst['chi2'])} at {_degrees(worst['angle'])}; "
        note += "noise explains what is below 2"
        yield Tile("images explained", f"χ² {_number(trust['chi2']['median'])}", note)
    if halves:
        for level, length in halves["resolution"].items():
            yield Tile(
                f"halves agree to ({level})", _length(length, subject), _ends(length, subject)
            )
    if trust and trust.get("wedge_power") is not None:
        note = "of the power at measured frequencies; about 100 % where it is filled"
        yield Tile("power in the wedge", f"{100 * trust['wedge_power']:.0f} %", note)
    if trust and trust.get("uncertainty"):
        yield Tile("expected error", _number(trust["uncertainty"]["rms"]), "of a voxel, rms")
    if subject.poses:
        held = subject.recipe.get("poses", {}).get("name") == "fixed"
        note = "rms, as given: poses were held" if held else "rms of what was corrected"
        yield Tile("shifts", f"{_shift(subject):.2g} px", note)


def origins(subject: Subject) -> Iterator[tuple[str, str]]:
    """Versions, the machine, and the files that went in."""
    made = subject.provenance
    for section in ("versions", "machine"):
        yield from ((name, str(value)) for name, value in made.get(section, {}).items())
    if made.get("seed") is not None:
        yield "seed", str(made["seed"])
    for name, known in made.get("inputs", {}).items():
        yield name, f"{known.get('path')}  sha256 {known.get('sha256')}"


def notes(subject: Subject) -> list[str]:
    """What was found out on the way."""
    return [str(note) for note in subject.provenance.get("notes", ())]


def warnings(subject: Subject) -> list[str]:
    """What speaks against the result."""
    return [str(line) for line in subject.trust.get("warnings", ())]


def _shift(subject: Subject) -> float:
    squares = [x * x + y * y for x, y in zip(subject.poses["dx"], subject.poses["dy"], strict=True)]
    return math.sqrt(sum(squares) / len(squares))


def _length(length: float | None, subject: Subject) -> str:
    return "–" if length is None else f"{length:.3g} {unit(subject)}"


def _ends(length: float | None, subject: Subject) -> str:
    if length is None:
        return "no scale: the correlation never was above"
    finest = length <= 2.001 * subject.grid.spacing
    return "two voxels: the lattice ends there" if finest else "by convention the resolution"


def _degrees(angle: float) -> str:
    return f"{angle:.4g}°".replace("-", "−")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
