"""What goes in and what comes out: frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses, Shape

NoiseName = Literal["measured", "poisson", "gaussian"]


@dataclass(frozen=True)
class Channel:
    """How one of several signals was recorded; `weight` is how many times its pixels count.

    `pixel_size` (Å) is its own where it is coarser than the series, in which each of its pixels
    then fills a block. `sections` are the images that it has, none: all; the others are zero.
    `leads`: poses are to be found from it.
    """

    name: str
    weight: float = 1.0
    noise: NoiseName = "measured"
    pixel_size: float | None = None
    sections: tuple[int, ...] | None = None
    leads: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class TiltSeries:
    """Images of one specimen: [tilt, row, column] (or [channel, tilt, row, column]), angles in °.

    `pixel_size` is in Å (1 when unknown). `tilt_axis` is where the axis runs in the images, in
    degrees counter-clockwise from their columns. `sections` are the images' numbers in the file
    they came from, so that poses and angles stay with their image when views are left out. `notes`
    tell where all this comes from. `recorded`: the channels, where they are not all alike.
    """

    images: Tensor
    angles: Tensor
    pixel_size: float = 1.0
    channels: tuple[str, ...] = ("signal",)
    sections: tuple[int, ...] = ()
    source: str = "the tilt series"
    tilt_axis: float = 0.0
    notes: tuple[str, ...] = ()
    recorded: tuple[Channel, ...] = ()

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        images, angles = _tensor(self.images, torch.float32), _tensor(self.angles, torch.float64)
        set_(self, "images", images[None] if images.dim() == 3 else images)
        set_(self, "angles", angles.reshape(-1))
        set_(self, "sections", tuple(self.sections) or tuple(range(len(self.angles))))
        set_(self, "pixel_size", _pixel_size(self))
        _check(self)

    def __repr__(self) -> str:
        tilts, rows, columns = self.shape
        return (
            f"TiltSeries({tilts} images of {rows} × {columns}, "
            f"{self.angles.min():g}° to {self.angles.max():g}°, "
            f"{self.pixel_size:g} Å, {', '.join(self.channels)}, from {self.source})"
        )

    def _repr_html_(self) -> str:
        from tomoinr.live.notebook import series_html  # notebooks alone ask for it

        return series_html(self)

    @property
    def shape(self) -> Shape:
        """(tilts, rows, columns)."""
        _, tilts, rows, columns = self.images.shape
        return tilts, rows, columns

    def at(self, pixels: Pixels) -> Tensor:
        """Measured values at some pixels: (channels, *pixels.shape)."""
        return self.images[:, pixels.view, pixels.row, pixels.column]

    def select(self, views: Sequence[int] | Sequence[bool]) -> TiltSeries:
        """Some of the views: their indices in any order, or a mask; sections follow."""
        index = torch.arange(len(self.angles))[torch.as_tensor(views, device="cpu")]
        sections = tuple(self.sections[int(i)] for i in index)
        return replace(
            self, images=self.images[:, index], angles=self.angles[index], sections=sections
        )

    def views_of(self, channel: int) -> list[int]:
        """The indices of the images that a channel has."""
        has = self.recorded[channel].sections if self.recorded else None
        return [i for i, number in enumerate(self.sections) if has is None or number in has]

    def coarser(self, channel: int) -> int:
        """How many times larger a channel's own pixels are."""
        size = self.recorded[channel].pixel_size if self.recorded else None
        return max(1, round((size or 0) / self.pixel_size))

    @property
    def uneven(self) -> tuple[str, ...]:
        """The channels that lack images or are coarser than the others."""
        each, tilts = enumerate(self.channels), len(self.angles)
        return tuple(n for i, n in each if self.coarser(i) > 1 or len(self.views_of(i)) < tilts)

    def channel(self, channel: int) -> TiltSeries:
        """One channel by itself: the images that it has, in its own pixels."""
        step = self.coarser(channel)
        images = self.images[channel : channel + 1, :, step // 2 :: step, step // 2 :: step]
        size, names = self.pixel_size * step, (self.channels[channel],)
        alone = replace(self, images=images, pixel_size=size, channels=names, recorded=())
        return alone.select(self.views_of(channel))

    def scaled(self, factor: float | Tensor) -> TiltSeries:
        """The same series with every value multiplied: by a number, or one a channel (C,1,1,1)."""
        return replace(self, images=self.images * factor)

    def to(self, device: torch.device) -> TiltSeries:
        """The same series on another device."""
        return replace(self, images=self.images.to(device), angles=self.angles.to(device))

    def grid(self, depth: int | None = None) -> Grid:
        """The volume that these images see: as wide as the images, `depth` voxels thick."""
        _, rows, columns = self.shape
        return Grid((rows, depth or columns, columns), self.pixel_size)

    @classmethod
    def load(cls, path: str | Path, angles: Any = None, **said: Any) -> TiltSeries:
        """Read a file; see `tomoinr.io.load` for what can be said of it."""
        from tomoinr.io import load  # a method users look for here, though reading is above

        return load(path, angles, **said)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write images and angles; refuses to replace a file unless forced."""
        from tomoinr.io import save

        return save(path, self, force)


class Alignment(NamedTuple):
    """Poses to start from, and in plain words what was done and found."""

    poses: Poses
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """One line of a run's history; what follows `seconds` is there where the solver knows it.

    `stage`: what it does, in plain words; `of`: steps planned in all, 0 if unknown; `validation`:
    the loss on data held back; `moved`: pixels by which the usual image last moved; `part`: how
    much of the work is done (0 to 1), where some steps take longer than others.
    """

    step: int
    loss: float
    seconds: float
    stage: str = ""
    of: int = 0
    validation: float | None = None
    moved: float | None = None
    part: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """The result: `voxels` is a numpy array [y, z, x] ([channel, y, z, x] for several).

    `notes` are lines of plain words, saved as comments on the recipe.
    """

    voxels: np.ndarray
    grid: Grid
    poses: Poses
    history: tuple[Record, ...]
    series: TiltSeries
    recipe: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape, steps = self.voxels.shape, self.history[-1].step if self.history else 0
        return f"Reconstruction({shape} voxels of {self.grid.spacing:g} Å, {steps} steps)"

    def _repr_html_(self) -> str:
        from tomoinr.live.notebook import reconstruction_html

        return reconstruction_html(self)

    def save(self, folder: str | Path, order: str = "imod", force: bool = False) -> Path:
        """Write volume.mrc, poses, history, recipe and provenance into a folder."""
        from tomoinr.io import save_reconstruction

        return save_reconstruction(folder, self, order, force)


def _tensor(values: Any, dtype: torch.dtype) -> Tensor:
    try:
        if isinstance(values, str):
            raise TypeError(f"'{values}' is text; tomoinr.io.read_angles reads angles from it")
        if not isinstance(values, Tensor):
            values = np.asarray(values)
            values = torch.from_numpy(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
        if values.is_complex():
            raise TypeError("these are complex; give their size, or their phase")
        return values.to(dtype)
    except (TypeError, ValueError) as error:
        raise TomoinrError(f"images and angles must be arrays of numbers: {error}") from None


def _pixel_size(series: TiltSeries) -> float:
    """A plain number above zero, whatever kind of number was given."""
    try:
        size = float(series.pixel_size)
    except (TypeError, ValueError):
        size = math.nan
    if not 0 < size < math.inf:
        raise TomoinrError(
            f"{series.source}: pixel size must be above zero, got {series.pixel_size} Å; "
            "leave it at 1 when it is unknown"
        )
    return size


def _check(series: TiltSeries) -> None:
    """Refuse, in one line, what no reconstruction can use."""
    where = series.source
    if series.images.dim() != 4 or 0 in series.images.shape:
        shape = tuple(series.images.shape)
        raise TomoinrError(
            f"{where}: images must be [tilt, row, column] and not empty, got {shape}"
        )
    channels, tilts = series.images.shape[:2]
    if len(series.angles) != tilts:
        raise TomoinrError(
            f"{where}: {tilts} images but {len(series.angles)} angles; "
            "give one angle for each image (--angles, in Python angles)"
        )
    if tilts < 2:
        raise TomoinrError(f"{where}: a tilt series needs at least two images, this has one")
    names = tuple(channel.name for channel in series.recorded)
    if series.recorded and names != series.channels:
        raise TomoinrError(f"{where}: channels are {series.channels}, but recorded are {names}")
    if len(series.channels) != channels or len(series.sections) != tilts:
        raise TomoinrError(f"{where}: one name for each channel and one section for each image")
    if not bool(series.angles.isfinite().all()):
        raise TomoinrError(f"{where}: an angle is not a finite number")
    if float(series.angles.max() - series.angles.min()) <= 1e-6:
        raise TomoinrError(f"{where}: all images have the same tilt angle; give those they have")
    # Image by image: a mask of the whole stack would cost memory.
    lost = [i for i in range(tilts) if not bool(series.images[:, i].isfinite().all())]
    if lost:
        section, more = series.sections[lost[0]], f", as do {len(lost) - 1} more" * (len(lost) > 1)
        raise TomoinrError(
            f"{where}: image {section} holds NaN or infinite values{more}; repair or exclude it"
        )
