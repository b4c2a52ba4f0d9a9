"""What rosettasciio gives for one signal: which axes are images, rows, columns and energies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ANGSTROMS = {
    "pm": 0.01, "a": 1.0, "å": 1.0, "angstrom": 1.0, "nm": 10.0, "um": 1e4, "µm": 1e4, "μm": 1e4,
    "micron": 1e4, "mm": 1e7, "m": 1e10,
}  # fmt: skip
DEGREES = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0}
DEGREES |= dict.fromkeys(("rad", "radian", "radians"), 180 / math.pi)
ENERGIES = ("ev", "kev")


@dataclass(frozen=True)
class Signal:
    """Images of one signal: `data` may be a dask array, of which only what is needed is read.

    `stack` is the axis of images (`None`: there is one), `energies` are summed over.
    """

    name: str
    data: Any
    stack: int | None
    energies: tuple[int, ...]
    plane: tuple[int, int]
    axes: tuple[Mapping[str, Any], ...]
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Signal | None:
        """`None`: these are no images in grey values."""
        data, metadata = given["data"], given.get("metadata") or {}
        by_place = enumerate(given["axes"])
        axes = dict(sorted((int(axis.get("index_in_array", i)), axis) for i, axis in by_place))
        if set(axes) != set(range(data.ndim)) or data.dtype.kind not in "biuf" or 0 in data.shape:
            return None
        energies = tuple(i for i, axis in axes.items() if _unit(axis) in ENERGIES)
        long = [i for i in axes if i not in energies and data.shape[i] > 1]
        if len(long) not in (2, 3):
            return None
        stack = long[0] if len(long) == 3 else None
        name = str(metadata.get("General", {}).get("title") or "signal")
        plane = long[-2], long[-1]
        return cls(name, data, stack, energies, plane, tuple(axes.values()), metadata)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(images, rows, columns)."""
        images = 1 if self.stack is None else self.data.shape[self.stack]
        return images, self.data.shape[self.plane[0]], self.data.shape[self.plane[1]]

    @property
    def dtype(self) -> np.dtype:
        """Of its images."""
        return np.dtype(np.float32) if self.energies else np.dtype(self.data.dtype)

    def image(self, index: int) -> np.ndarray:
        """One image (rows, columns)."""
        whole = (*self.plane, *self.energies)
        place = [slice(None) if axis in whole else 0 for axis in range(self.data.ndim)]
        if self.stack is not None:
            place[self.stack] = index
        part = self.data[tuple(place)]
        if self.energies:
            kept = [axis for axis in range(self.data.ndim) if axis in whole]
            part = part.sum(axis=tuple(kept.index(axis) for axis in self.energies))
        if hasattr(part, "compute"):
            part = part.compute(scheduler="synchronous")
        return np.asarray(part).astype(self.dtype, copy=False)

    def pixel_sizes(self) -> tuple[float, ...]:
        """Å along rows and columns; none where the unit is no length."""
        rows_columns = [self.axes[axis] for axis in self.plane]
        units = [ANGSTROMS.get(_unit(axis)) for axis in rows_columns]
        if None in units:
            return ()
        scales = (abs(_number(axis.get("scale"))) for axis in rows_columns)
        return tuple(scale * unit for scale, unit in zip(scales, units, strict=True) if unit)

    def angles(self) -> tuple[float, ...] | None:
        """Degrees, where the axis of images is an angle, or where HyperSpy's tilts say them."""
        if self.stack is None:
            return None
        axis = self.axes[self.stack]
        if degrees := DEGREES.get(_unit(axis)):
            return _plausible([degrees * value for value in _values(axis, self.shape[0])])
        tilts = np.asarray(self.metadata.get("Tomography", {}).get("tilts", ())).ravel()
        if tilts.size != self.shape[0]:
            return None
        return _plausible([_number(tilt) for tilt in tilts])


def _unit(axis: Mapping[str, Any]) -> str:
    return str(axis.get("units") or "").strip().lower()


def _values(axis: Mapping[str, Any], count: int) -> list[float]:
    """Where the samples of an axis are."""
    if "axis" in axis:  # one that is not uniform
        return [_number(value) for value in np.asarray(axis["axis"]).ravel()[:count]]
    offset, scale = _number(axis.get("offset", 0.0)), _number(axis.get("scale"))
    return [offset + i * scale for i in range(count)]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _plausible(angles: Sequence[float]) -> tuple[float, ...] | None:
    """Angles that differ and are finite."""
    sound = all(map(math.isfinite, angles)) and len(set(angles)) > 1
    return tuple(float(f"{angle:.9g}") for angle in angles) if sound else None
