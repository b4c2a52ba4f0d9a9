"""The three directions from which a volume [y, z, x] is looked at, and which way is up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

AXES = "yzx"  # of a volume in memory


class Plane(NamedTuple):
    """Slices across `through`, drawn with `right` and `up` growing to the right and upwards.

    `facing` is the sign of `through` that points towards the reader: right × up.
    """

    name: str
    title: str
    through: str
    right: str
    up: str
    facing: int


PLANES = (
    Plane("xy", "from above: x–y", "z", "x", "y", 1),
    Plane("xz", "along the tilt axis: x–z", "y", "x", "z", -1),
    Plane("zy", "from the side: z–y", "x", "z", "y", -1),
)


def cut(voxels: np.ndarray, plane: Plane, index: int) -> np.ndarray:
    """One slice of [y, z, x] as a picture [up, right], its first row at the bottom."""
    piece = np.take(voxels, index, AXES.index(plane.through))
    rest = AXES.replace(plane.through, "")
    return piece if rest == plane.up + plane.right else piece.T
