"""The curves of a report: correlation of halves, the run's course, poses; plain columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tomoinr.report.subject import Subject

POINTS = 1500  # of a curve: more than a screen shows
ROUNDING = 1e-4  # degrees


def fsc_table(subject: Subject) -> dict[str, Any] | None:
    """Correlation of two halves by frequency, and where it crosses the usual levels."""
    halves = subject.trust.get("halves")
    if not halves:
        return None
    names = ("frequency", "measured", "wedge", "resolution", "caveat")
    return {name: halves[name] for name in names} | {"spacing": subject.grid.spacing}


def course_table(subject: Subject) -> dict[str, Any] | None:
    """Loss and validation by step, thinned; where stages begin, where it stopped and was best."""
    history = subject.history
    steps = history.get("step")
    if not steps:
        return None
    every = max(1, len(steps) // POINTS)
    kept = sorted({*range(0, len(steps), every), len(steps) - 1, *_judged(history)})
    table = {name: [history[name][i] for i in kept] for name in ("step", "loss")}
    table["validation"] = [_column(history, "validation", i) for i in kept]
    stopped = {"step": steps[-1], "seconds": _column(history, "seconds", -1)}
    return table | {"stages": _stages(history), "stopped": stopped, "best": _best(history)}


def poses_table(
    subject: Subject, errors: Mapping[str, list[float | None]], held: bool
) -> dict[str, Any] | None:
    """Corrections of every image by its recorded angle: pixels and degrees, sorted by angle."""
    poses = subject.poses
    if not poses:
        return None
    order = sorted(range(len(poses["angle"])), key=lambda i: poses["angle"][i])
    columns = {**poses, "tilt": _corrections(poses["tilt"], poses["angle"])}
    table: dict[str, Any] = {name: [columns[name][i] for i in order] for name in columns}
    table["section"] = [int(section) for section in table["section"]]
    table["errors"] = {name: [found[i] for i in order] for name, found in errors.items()}
    return table | {"held": held}


def _judged(history: Mapping[str, list[Any]]) -> list[int]:
    """Steps at which there is a validation loss: few, and each counts."""
    found = [i for i, value in enumerate(history.get("validation", ())) if value is not None]
    return found[:: max(1, len(found) // POINTS)]


def _column(history: Mapping[str, list[Any]], name: str, index: int) -> Any:
    return history[name][index] if name in history else None


def _stages(history: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Where the solver went on to something else."""
    names, before, found = history.get("stage", []), None, []
    for step, name in zip(history["step"], names, strict=False):
        if name and name != before:
            found.append({"step": step, "name": name})
        before = name
    return found


def _best(history: Mapping[str, list[Any]]) -> dict[str, float] | None:
    """The step whose validation loss is the lowest."""
    seen = zip(history["step"], history.get("validation", ()), strict=False)
    known = [(value, step) for step, value in seen if value is not None]
    return {"validation": min(known)[0], "step": min(known)[1]} if known else None


def _corrections(tilts: list[float], recorded: list[float]) -> list[float]:
    """Degrees; none at all where there is nothing but rounding."""
    found = [(t - r + 180) % 360 - 180 for t, r in zip(tilts, recorded, strict=True)]
    return found if max(map(abs, found)) > ROUNDING else [0.0] * len(found)
