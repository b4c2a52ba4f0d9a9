"""IMOD's files of poses: `.xf` (or `.tltxf`), with `.tlt` and `.xtilt` beside it.

A line of `.xf`, `A11 A12 A21 A22 DX DY`, takes a point of the raw image, counted in pixels from
its centre, to the aligned image: X' = A X + D. A point (x, y, z) of the specimen lands in the raw
image at Rz(turn) Ry(tilt) Rx(-pitch) (x, y, z) + t, so A = Rz(-turn) and D = -A t. `.tlt` holds
the tilts and `.xtilt` the pitches. The program `tilt` turns about x first and about y then; our
poses have it the other way round, but every rotation can be told in either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tomoinr.builtin.pose_files.images import check_axis, filed, lines, lines_of, numbers
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses, turn_x, turn_y, turn_z

WRITTEN = ".xf"
TRANSFORMS = (WRITTEN, ".tltxf")
READ = (*TRANSFORMS, ".tlt", ".xtilt")
STRETCHED = 0.02  # by which a transformation may magnify: poses cannot
UPRIGHT = 1e-5  # below this, beam and x axis are one: turn and pitch cannot be told apart


class Held(NamedTuple):
    """Poses as IMOD holds them: degrees, one value an image."""

    turn: Tensor
    tilt: Tensor
    pitch: Tensor


def held(poses: Poses) -> Held:
    """Rotations as a pitch about x, then a tilt about y, then a turn in the image."""
    r = poses.rotation.detach().double()
    across, side = torch.hypot(r[:, 2, 1], r[:, 2, 2]), r[:, 2, 2].sign() + (r[:, 2, 2] == 0)
    tilt = torch.rad2deg(torch.atan2(r[:, 2, 0], side * across))
    pitch = -torch.rad2deg(torch.atan2(side * r[:, 2, 1], side * r[:, 2, 2]))
    pitch = torch.where(across < UPRIGHT, 0.0, pitch)
    flat = r @ turn_x(pitch)
    return Held(torch.rad2deg(torch.atan2(-flat[:, 0, 1], flat[:, 1, 1])), tilt, pitch)


def read(path: Path, series: TiltSeries) -> Poses:
    """From `.xf`: with the tilts of `.tlt` and `.xtilt` beside it, else the series' own and none.

    From `.tlt` or `.xtilt`: with the nominal tilt axis and no shifts.
    """
    tilt = _angles(path.with_suffix(".tlt"), series, series.angles)
    pitch = _angles(path.with_suffix(".xtilt"), series, torch.zeros_like(tilt))
    turn = torch.full_like(tilt, series.tilt_axis)
    shift = torch.zeros(len(tilt), 2, dtype=torch.float64)
    if path.suffix.lower() in TRANSFORMS:
        turn, shift = _transforms(path, series)
    return Poses(turn_z(turn) @ turn_y(tilt) @ turn_x(-pitch), shift * series.pixel_size)


def texts(path: Path, poses: Poses, series: TiltSeries) -> dict[Path, str]:
    """`.xf`, `.tlt` and `.xtilt` with a line for each image of the stack, left out or not.

    `.xtilt` is there even if it is all zeros: command files name it, and an older one might stay.
    """
    every = filed(poses, series)
    angles = held(every.poses)
    matrix = turn_z(-angles.turn)[:, :2, :2]
    moved = -(matrix @ every.shift[..., None])[..., 0]
    return {
        path: _text(torch.cat((matrix.flatten(1), moved), 1).tolist()),
        path.with_suffix(".tlt"): _text([angle] for angle in angles.tilt.tolist()),
        path.with_suffix(".xtilt"): _text([angle] for angle in angles.pitch.tolist()),
    }


def _text(rows: Iterable[list[float]]) -> str:
    """Seven decimals; adding zero keeps -0 out."""
    return "".join(" ".join(f"{round(v, 7) + 0.0:12.7f}" for v in row) + "\n" for row in rows)


def _table(path: Path, columns: int, series: TiltSeries) -> Tensor:
    """The lines (images, columns) of the series' images."""
    told = [(n, text) for n, text in enumerate(lines(path), 1) if text]
    rows = [numbers(path, n, text, columns) for n, text in told]
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, columns)
    return table[lines_of(path, len(rows), series)]


def _angles(path: Path, series: TiltSeries, otherwise: Tensor) -> Tensor:
    return _table(path, 1, series)[:, 0] if path.is_file() else otherwise


def _transforms(path: Path, series: TiltSeries) -> tuple[Tensor, Tensor]:
    """Turns (T,) in degrees, shifts (T, 2) in pixels."""
    table = _table(path, 6, series)
    matrix, moved = table[:, :4].reshape(-1, 2, 2), table[:, 4:]
    sizes = torch.linalg.svdvals(matrix)
    odd = ((sizes - 1).abs() > STRETCHED).any(1) | (torch.linalg.det(matrix) < 0)
    if bool(odd.any()):
        number = series.sections[int(odd.nonzero()[0])]
        raise TomoinrError(
            f"{path}: image {number} is mirrored, stretched or magnified by more than "
            f"{STRETCHED:.0%}, and poses only turn and shift; use transformations of that kind"
        )
    (a11, a12), (a21, a22) = matrix[:, 0].T, matrix[:, 1].T
    turn = -torch.rad2deg(torch.atan2(a21 - a12, a11 + a22))
    check_axis(path, turn, series)
    return turn, -torch.linalg.solve(matrix, moved)
