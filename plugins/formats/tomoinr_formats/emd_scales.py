"""The scales of EMD data: which axis is which, and how long its steps are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr_formats.hdf5_parts import check_list, dataset, text

ANGULAR = ("angle", "angles", "tilt", "tilts", "theta")


@dataclass(frozen=True, eq=False)
class Scale:
    """One axis: its name, its unit without brackets, and where its samples are."""

    name: str
    unit: str
    values: np.ndarray

    @property
    def angular(self) -> bool:
        """Whether it holds tilt angles."""
        return self.unit.startswith(("deg", "rad")) or self.name in ANGULAR

    @property
    def step(self) -> float:
        """The mean distance of two samples; 0 where there is one."""
        ends = self.values[[0, -1]].astype(np.float64)
        return abs(float(ends[1] - ends[0])) / max(1, len(self.values) - 1)


def scales(path: Path, group: h5py.Group) -> list[Scale]:
    """Those of the three axes of a group."""
    found = [dataset(group, f"dim{axis}") for axis in (1, 2, 3)]
    if not all(scale is not None and scale.size for scale in found):
        raise TomoinrError(f"{path}: '{group.name}' must have the scales dim1, dim2 and dim3")
    return [
        Scale(
            text(scale, "name").strip().lower(),
            text(scale, "units").strip(" []").lower(),
            check_list(path, scale),
        )
        for scale in found
    ]


def planes(dims: list[Scale]) -> tuple[int, ...]:
    """Which axes of the data are images, rows and columns."""
    names = [scale.name for scale in dims]
    z = names.index("z") if sorted(names) == ["x", "y", "z"] else 0
    stack = next((axis for axis, scale in enumerate(dims) if scale.angular), z)
    rest = [axis for axis in range(3) if axis != stack]
    if [names[axis] for axis in rest] == ["x", "y"]:
        rest.reverse()
    return stack, *rest
