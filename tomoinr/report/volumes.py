"""The volumes of a report: ours and SIRT's, on one lattice that is small enough to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError, reason
from tomoinr.report.classical import STEPS, sirt
from tomoinr.report.lattice import coarser, coarser_grid, factor_for
from tomoinr.report.packing import letters, packed, window
from tomoinr.report.planes import AXES, PLANES, cut
from tomoinr.report.subject import Subject

VOXELS = 2_200_000  # of all channels together, in each of two volumes
PIXELS = 1 << 20  # of a slice at full size, all channels together


@dataclass(frozen=True, eq=False)
class Shown:
    """Volumes by name, each (channels, y, z, x), `factor` times coarser than the result."""

    volumes: dict[str, np.ndarray]
    factor: float
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def shown(subject: Subject) -> Shown:
    """Ours, and SIRT of the same images where there are images."""
    factor = factor_for(subject.voxels.size, VOXELS, 3)
    volumes = {"tomoinr": coarser(subject.voxels, factor, (1, 2, 3))}
    notes, missing = [], []
    if factor > 1:
        size = " × ".join(map(str, subject.voxels.shape[1:]))
        notes.append(f"Shown in voxels {factor:g} times as large as those of the file ({size}).")
        notes.append("The slices of tomoinr shown first are at full size.")
    try:
        volumes |= _sirt(subject, factor)
        notes.append(f"SIRT: {STEPS} iterations on the lattice shown, with the poses found.")
    except TomoinrError as error:
        missing.append(f"SIRT beside it: {reason(error)}")
    return Shown(volumes, factor, tuple(notes), tuple(missing))


def volumes_table(subject: Subject, found: Shown) -> tuple[dict[str, Any], dict[str, str]]:
    """What a page needs to know of the volumes, and their bytes."""
    first = next(iter(found.volumes.values()))
    lattice = coarser_grid(subject.grid, found.factor)
    start = _richest(first[0])
    methods: list[dict[str, Any]] = []
    blobs: dict[str, str] = {}
    for number, (name, volume) in enumerate(found.volumes.items()):
        bytes_ = [packed(channel) for channel in volume]
        blobs[f"volume-{number}"] = letters(*(one.values for one in bytes_))
        scales = [[one.low, one.high] for one in bytes_]
        methods.append({"name": name, "blob": f"volume-{number}", "scales": scales})
    table = {
        "shape": list(first.shape[1:]),
        "full": list(subject.voxels.shape[1:]),
        "spacing": lattice.spacing,
        "channels": list(subject.channels),
        "methods": methods,
        "windows": [list(window(channel)) for channel in first],
        "start": start,
        "planes": [plane._asdict() for plane in PLANES],
        "cuts": _cuts(subject, found, start, blobs),
        "notes": list(found.notes),
    }
    return table, blobs


def _cuts(
    subject: Subject, found: Shown, start: list[int], blobs: dict[str, str]
) -> dict[str, Any]:
    """The slices shown first as the file has them: shapes and names of bytes, by plane."""
    if found.factor == 1:
        return {}
    small, table = next(iter(found.volumes.values())).shape[1:], {}
    for plane in PLANES:
        axis = AXES.index(plane.through)
        full = subject.voxels.shape[1 + axis]
        index = round((start[axis] + 0.5) * full / small[axis] - 0.5)
        pieces = [cut(channel, plane, index) for channel in subject.voxels]
        factor = factor_for(pieces[0].size * len(pieces), PIXELS, 2)
        pieces = [coarser(piece, factor, (0, 1)) for piece in pieces]
        bytes_, name = [packed(piece) for piece in pieces], f"cut-{plane.name}"
        blobs[name] = letters(*(one.values for one in bytes_))
        scales = [[one.low, one.high] for one in bytes_]
        table[plane.name] = {"blob": name, "shape": list(pieces[0].shape), "scales": scales}
    return table


def _richest(voxels: np.ndarray) -> list[int]:
    """The slices across y, z and x that vary most."""
    others = ((1, 2), (0, 2), (0, 1))
    return [int(voxels.var(axis=axes).argmax()) for axes in others]


def _sirt(subject: Subject, factor: float) -> dict[str, np.ndarray]:
    if subject.result is None:
        raise TomoinrError("the images are needed")
    if subject.recipe.get("solver", {}).get("name") == "sirt":
        raise TomoinrError("this is SIRT")
    return {"SIRT": sirt(subject.result, factor)}
