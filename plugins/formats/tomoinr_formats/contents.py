"""What a writer gets: one array with its axes, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.stack import in_order
from tomoinr.version import __version__

SOFTWARE = f"tomoinr {__version__}"


@dataclass(frozen=True, eq=False)
class Contents:
    """`array` is [channel, slowest, middle, fastest], 32-bit; `spacing` is in Å.

    `angles` and `tilt_axis` (degrees) are those of a tilt series, `order` is that of a volume.
    """

    array: np.ndarray
    axes: tuple[str, str, str]
    spacing: float
    channels: tuple[str, ...]
    order: str = ""
    angles: tuple[float, ...] | None = None
    tilt_axis: float = 0.0

    @classmethod
    def of(cls, value: TiltSeries | Reconstruction, order: str) -> Contents:
        """A tilt series, or a volume in the order named."""
        if isinstance(value, TiltSeries):
            return cls(
                value.images.cpu().numpy(),
                ("tilt", "y", "x"),
                value.pixel_size,
                value.channels,
                angles=tuple(value.angles.tolist()),
                tilt_axis=value.tilt_axis,
            )
        voxels = value.voxels if value.voxels.ndim == 4 else value.voxels[None]
        array, axes = in_order(voxels, order)
        names = value.series.channels
        if len(names) != len(array):
            names = named(len(array))
        return cls(array, axes, value.grid.spacing, names, order)

    @property
    def title(self) -> str:
        """Its kind and axes in words."""
        axes = f"[{', '.join(self.axes)}]"
        return f"volume, order {self.order} {axes}" if self.order else f"tilt series {axes}"

    def plane(self, channel: int, index: int) -> np.ndarray:
        """One image or slice, 32-bit and contiguous."""
        return np.ascontiguousarray(self.array[channel, index], np.float32)

    def only_channel(self, format_name: str) -> np.ndarray:
        """[slowest, middle, fastest], where there is no room for more."""
        if len(self.array) != 1:
            raise TomoinrError(
                f"a {format_name} file holds one channel, not {len(self.array)}; "
                "save one at a time, or all as .emd, .h5, .npz or .zarr"
            )
        return self.array[0]


def named(count: int) -> tuple[str, ...]:
    """Names for channels that have none."""
    return ("signal",) if count == 1 else tuple(f"channel {i}" for i in range(1, count + 1))
