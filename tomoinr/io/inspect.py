"""What can be found out about a file without reconstructing anything."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError, reason, told_plainly
from tomoinr.io.image_statistics import Statistics, measure
from tomoinr.io.oddities import odd_angles, odd_images
from tomoinr.io.orient import Axis, other_notes, tilt_axis_of
from tomoinr.io.provenance import read_provenance
from tomoinr.io.reading import describe, open_stack
from tomoinr.io.records import Record, find_record
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

RECIPE = "recipe.toml"
VOLUME = "volume.mrc"
LABEL = b"volume, order"  # how the label of a volume of ours begins, in the first bytes
HEADER = 1024
MISTAKEN = ": read as images"  # how a reader's note ends on a volume, which is no mistake here


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, and what looks odd about it.

    `result` is of a result's folder only, `record` of a file that a command wrote.
    """

    stack: Stack
    is_volume: bool
    statistics: tuple[Statistics, ...]
    odd: tuple[str, ...]
    result: dict[str, Any] | None = None
    record: Record | None = None

    def table(self) -> dict[str, Any]:
        """As plain values, for programs."""
        stack = self.stack
        table = {
            "file": stack.source,
            "kind": "volume" if self.is_volume else "images",
            "shape": list(stack.shape),
            "type": str(stack.dtype),
            "pixel_size": stack.pixel_size,
            "tilt_axis": stack.tilt_axis,
            "angles": None if stack.angles is None else list(stack.angles),
            "notes": list(stack.notes),
            "channels": [_channel(one) for one in self.statistics],
            "odd": list(self.odd),
        }
        table |= {} if self.result is None else {"result": _plain(self.result)}
        return table if self.record is None else table | {"record": self.record.provenance}


def inspect(
    path: str | Path,
    angles: Any = None,
    tilt_axis: Axis = None,
    plugins: Plugins | None = None,
) -> Found:
    """All there is to say of a stack, a volume, or a folder with a result; angles may be missing.

    `angles` and `tilt_axis`: as `tomoinr.io.describe` takes them.
    """
    path = Path(path)
    result = read_result(path) if (path / RECIPE).is_file() else None
    files = [path] if result is None else volumes_in(path)
    file = files[0]
    is_volume = result is not None or _is_volume(file)
    stack, odd = _opened(file, angles, tilt_axis, plugins, is_volume)
    if len(files) > 1:
        stack = _together(path, [_opened(one, None, None, plugins, True)[0] for one in files])
    with told_plainly(f"{file}: cannot be read"):
        statistics = tuple(measure(stack))
    odd += [] if is_volume or stack.angles is None else list(odd_angles(stack.angles))
    record = None
    try:
        record = None if result else find_record(file)
    except TomoinrError as error:  # the file itself may be well
        odd.append(reason(error))
    for one in statistics:
        name = f"{one.channel}: " if len(statistics) > 1 else ""
        lines = _odd_volume(one) if is_volume else odd_images(one, stack.angles)
        odd += [name + line for line in lines]
    return Found(stack, is_volume, statistics, tuple(odd), result, record)


def read_result(folder: Path) -> dict[str, Any]:
    """Recipe, provenance, steps and warnings of a result's folder."""
    path = folder / RECIPE
    try:
        recipe = tomllib.loads(path.read_text("utf-8"))
        history = folder / "history.csv"
        lines = history.read_text("utf-8").splitlines() if history.is_file() else []
        rows = list(csv.DictReader(lines))
        last = {name: float(rows[-1][name]) for name in ("step", "loss")} if rows else {}
        trust = folder / "trust.json"
        said = json.loads(trust.read_text("utf-8")) if trust.is_file() else {}
        warnings = list(said.get("warnings", []))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TomoinrError(f"{folder}: this is no whole result: {reason(error)}") from None
    found = {"recipe": recipe, "provenance": read_provenance(folder)}
    return found | {"last": last, "warnings": warnings}


def volumes_in(folder: Path) -> list[Path]:
    """A result's volume, or one for each of its channels."""
    several = sorted(folder.glob(f"{Path(VOLUME).stem}-*.mrc"))
    return several if several and not (folder / VOLUME).is_file() else [folder / VOLUME]


def _together(folder: Path, stacks: list[Stack]) -> Stack:
    """Volumes of one lattice as the channels of one."""
    names = tuple(Path(one.source).stem.partition("-")[2] for one in stacks)
    if len({one.shape for one in stacks}) > 1:
        raise TomoinrError(f"{folder}: its volumes differ in shape, so they are not of one result")
    return replace(
        stacks[0],
        source=str(folder / f"{Path(VOLUME).stem}-*.mrc"),
        channels=names,
        image=lambda i: np.stack([one.image(i) for one in stacks]),
    )


def order_of(angles: tuple[float, ...]) -> str:
    """In which order the images were put, in words."""
    steps = np.diff(angles)
    if (steps >= 0).all():
        return "rising"
    if (steps <= 0).all():
        return "falling"
    away = np.abs(np.array(angles) - angles[0])
    if (np.diff(away) >= -np.ptp(angles) / 10).all():  # a group may come back a little
        return "from the middle outwards"
    turns = np.flatnonzero(np.abs(steps) > np.ptp(angles) / 4)
    return "in two branches" if len(turns) == 1 else "in mixed order"


def _opened(
    file: Path, angles: Any, tilt_axis: Axis, plugins: Plugins | None, is_volume: bool
) -> tuple[Stack, list[str]]:
    """The file, with angles where they can be had; what was wrong with them."""
    stack = open_stack(file, plugins)
    if is_volume:
        return replace(stack, notes=tuple(n for n in stack.notes if not n.endswith(MISTAKEN))), []
    degrees, where = tilt_axis_of(tilt_axis, stack)
    try:
        return describe(file, angles, plugins, tilt_axis=tilt_axis), []
    except TomoinrError as error:
        if angles is not None:
            raise
        notes = (where, *other_notes(stack))
        return replace(stack, angles=None, tilt_axis=degrees, notes=notes), [reason(error)]


def _is_volume(file: Path) -> bool:
    """Whether its label says that it is a volume that we wrote."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return LABEL in opened.read(HEADER)


def _odd_volume(found: Statistics) -> Iterator[str]:
    """Of a volume, where slices may well be empty, and neighbours alike."""
    if found.not_finite:
        yield f"{found.not_finite} values are NaN or infinite"
    if found.low == found.high:
        yield "all voxels are the same"


def _channel(one: Statistics) -> dict[str, Any]:
    """Statistics as plain values; NaN, which JSON has not, as none."""
    names = ("low", "high", "mean", "std")
    images = [{name: _number(getattr(i, name)) for name in names} for i in one.images]
    table: dict[str, Any] = {"name": one.channel}
    table |= {name: _number(getattr(one, name)) for name in names}
    percentiles = {str(at): value for at, value in one.percentiles.items()}
    return table | {"percentiles": percentiles, "not_finite": one.not_finite, "images": images}


def _plain(value: Any) -> Any:
    """The same with what JSON has not replaced: numbers that are not finite, dates."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, str | int | None) else str(value)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
