"""Which line of a file belongs to which image: both are keyed by the image's number in its stack.

A pose that is not finite stands for none: the image was left out.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses

LARGEST = 64 << 20  # bytes of a file of poses: far more than any stack needs
ASTRAY = 45.0  # degrees between two tilt axes that cannot be meant as the same


class Filed(NamedTuple):
    """A pose for every image of the stack: the nominal one where none was `found`."""

    poses: Poses
    found: Tensor  # (N,), true or false
    shift: Tensor  # (N, 2), pixels


def filed(poses: Poses, series: TiltSeries) -> Filed:
    """From image 0 to the last that is known; nominal angles of unknown ones lie in between."""
    place = torch.tensor(series.sections)
    order = place.argsort()
    numbers = np.arange(int(place.max()) + 1)
    angles = np.interp(numbers, place[order].numpy(), series.angles[order].numpy())
    every = Poses.of(torch.from_numpy(angles), series.tilt_axis)
    exact = Poses(poses.rotation.detach().double(), poses.shift.detach().double())
    known = exact.rotation.isfinite().all((1, 2)) & exact.shift.isfinite().all(1)
    every.rotation[place[known]] = exact.rotation[known]
    every.shift[place[known]] = exact.shift[known]
    found = torch.zeros(len(numbers), dtype=torch.bool)
    found[place[known]] = True
    return Filed(every, found, every.shift / series.pixel_size)


def lines_of(path: Path, count: int, series: TiltSeries) -> Tensor:
    """The numbers of the series' lines, in a file of `count` lines."""
    sections = series.sections
    if count == len(sections):
        return torch.arange(count)
    if sections != tuple(range(len(sections))) and count > max(sections):
        return torch.tensor(sections)
    raise TomoinrError(
        f"{path}: holds poses for {count} images, but there are {len(sections)} here; "
        "it must have a line for each image of the stack"
    )


def check_axis(path: Path, rotation: Tensor, series: TiltSeries) -> None:
    """Refuse poses (rotations in degrees) of another tilt axis than the series is said to have."""
    found = float(rotation.nanmedian())
    if abs((found - series.tilt_axis + 180) % 360 - 180) > ASTRAY:
        raise TomoinrError(
            f"{path}: its tilt axis is at {found:.1f}° from y, that of the images is taken to be "
            f"at {series.tilt_axis:.1f}°; say where it is (--tilt-axis {found:.1f})"
        )


def lines(path: Path) -> list[str]:
    """The lines of a text file, without blanks at their ends."""
    if path.stat().st_size > LARGEST:
        raise TomoinrError(f"{path}: too large to be a list of poses")
    return [line.strip() for line in path.read_bytes().decode("latin-1").splitlines()]


def numbers(path: Path, line: int, text: str, count: int) -> list[float]:
    """The first `count` numbers of a line."""
    try:
        values = [float(word) for word in text.split()[:count]]
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise TomoinrError(f"{path}, line {line}: {text[:40]!r} does not hold {count} numbers")
    return values
