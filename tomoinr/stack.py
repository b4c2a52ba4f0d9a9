"""What a reader gives: images that stay in their file until they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Shape


@dataclass(frozen=True, eq=False)
class Stack:
    """Images of one file, read one by one, and what the file says about them.

    `image(i)` is (rows, columns), or (channels, rows, columns) for several channels. `angles` are
    in degrees, `pixel_size` in Å, `tilt_axis` in degrees counter-clockwise from the images'
    columns; `None`: the file does not say. `notes` tell where these come from, and what is odd.
    """

    source: str
    shape: Shape  # (images, rows, columns)
    dtype: np.dtype
    image: Callable[[int], np.ndarray]
    angles: tuple[float, ...] | None = None
    pixel_size: float | None = None
    tilt_axis: float | None = None
    channels: tuple[str, ...] = ("signal",)
    sections: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, series: TiltSeries) -> Stack:
        """A series that is in memory already."""
        images = series.images.numpy()
        return cls(
            series.source,
            series.shape,
            images.dtype,
            lambda i: images[:, i],
            tuple(series.angles.tolist()),
            series.pixel_size,
            series.tilt_axis,
            series.channels,
            series.sections,
            series.notes,
        )

    @classmethod
    def of_array(cls, source: str, array: np.ndarray, **said: object) -> Stack:
        """An array (images, rows, columns), perhaps one that is mapped from a file."""
        if array.ndim != 3:
            raise TomoinrError(
                f"{source}: a tilt series has three axes (images, rows, columns), this has "
                f"{array.ndim}: {array.shape}"
            )
        made = cls(source, array.shape, array.dtype, lambda i: array[i])
        return replace(made, **said)  # type: ignore[arg-type]

    def but(self, excluded: frozenset[int]) -> Stack:
        """Without the images of these section numbers."""
        sections = self.sections or tuple(range(self.shape[0]))
        unknown = sorted(excluded - set(sections))
        if unknown:
            raise TomoinrError(
                f"{self.source}: there is no image {unknown[0]} to exclude; "
                f"they are numbered {min(sections)} to {max(sections)}"
            )
        kept = [i for i, section in enumerate(sections) if section not in excluded]
        return replace(
            self,
            shape=(len(kept), *self.shape[1:]),
            image=lambda i: self.image(kept[i]),
            angles=self.angles and tuple(self.angles[i] for i in kept),
            sections=tuple(sections[i] for i in kept),
        )

    def read(self, first: int = 0, last: int | None = None) -> torch.Tensor:
        """Images first … last - 1 as numbers: (channels, images, rows, columns)."""
        last = self.shape[0] if last is None else last
        out = torch.empty(len(self.channels), last - first, *self.shape[1:])
        for i in range(first, last):
            image = np.asarray(self.image(i))
            image = np.ascontiguousarray(image, image.dtype.newbyteorder("="))
            out[:, i - first] = torch.from_numpy(image.astype(np.float32, copy=False))
        return out


def in_order(voxels: np.ndarray, order: str) -> tuple[np.ndarray, tuple[str, str, str]]:
    """A volume ([channel,] y, z, x) in the order named, and its axes: to be written.

    `xyz` is a quarter turn about x, so it mirrors nothing. Of the two turns it is the one that
    keeps rows as they are in the images: out[k, j, i] = voxels[j, nz - 1 - k, i].
    """
    if order == "imod":
        return voxels, ("y", "z", "x")
    if order == "xyz":
        return np.rot90(voxels, 1, axes=(-3, -2)), ("-z", "y", "x")
    raise TomoinrError(f"no order of a volume is called '{order}'; there are imod, xyz")
