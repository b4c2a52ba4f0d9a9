"""From rosettasciio's signals to a stack.

The first axis that is neither rows, columns nor energies is that of the images. Row and column
numbers are kept as rosettasciio gives them, the top row first; nothing is turned or mirrored.
Signals of one size are channels of one specimen.
"""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np

from tomoinr.errors import TomoinrError, reason
from tomoinr.stack import Stack
from tomoinr_rosettasciio import velox
from tomoinr_rosettasciio.dm_sizes import pixels_told
from tomoinr_rosettasciio.kinds import DM, VELOX, Kind
from tomoinr_rosettasciio.library import file_reader
from tomoinr_rosettasciio.signals import Signal

MOST_PACKED = 2000  # times that values may be larger than the file they are packed in
LONGEST = 150  # characters of another's error that are told
ONE_BY_ONE = {0: 1}  # pieces of one image each, whatever the other axes


def read(path: Path, kind: Kind, pixel_size: float | None) -> Stack:
    """The images of the largest signals; the file stays open as long as its stack is in use."""
    if kind is DM:
        _check_size(path, pixels_told(path), 1)
    found = _signals(path, kind)
    signals, left = _of_one_size(found)
    first = signals[0]
    if kind.module != "ripple":  # its values lie in another file
        told = sum(math.prod(s.data.shape) * s.data.dtype.itemsize for s in signals)
        _check_size(path, told, 1 if kind.plain else MOST_PACKED)
    size, notes = _pixel_size(path, first, pixel_size)
    angles, said = _angles(path, kind, signals)
    if any(signal.energies for signal in signals):
        notes = (*notes, "spectra are summed over all energies")
    if left:
        names = ", ".join(f"{signal.name} {signal.shape}" for signal in left)
        notes = (*notes, f"left out, being of another size: {names}")

    def image(index: int) -> np.ndarray:
        images = [signal.image(index) for signal in signals]
        return images[0] if len(images) == 1 else np.stack(images)

    return Stack(
        str(path),
        first.shape,
        np.result_type(*(signal.dtype for signal in signals)),
        image,
        angles,
        size,
        channels=_names(signals),
        notes=(*said, *notes),
    )


def _signals(path: Path, kind: Kind) -> list[Signal]:
    """All images that rosettasciio finds."""
    given = _lazily(path, kind)
    found = [signal for one in given if (signal := Signal.of(one))]
    if not found:
        shapes = ", ".join(str(tuple(one["data"].shape)) for one in given) or "nothing"
        raise TomoinrError(
            f"{path}: holds no images, nor a stack of them, in grey values; it holds {shapes}"
        )
    return found


def _lazily(path: Path, kind: Kind) -> list[dict[str, Any]]:
    """What rosettasciio reads, where it can without the images themselves."""
    reader = file_reader(kind.module)
    takes = inspect.signature(reader).parameters
    options = {"lazy": True} | ({"chunks": ONE_BY_ONE} if "chunks" in takes else {})
    try:
        return list(reader(str(path), **options))
    except NotImplementedError:
        return list(reader(str(path)))
    except Exception as error:  # of any kind, where a file is damaged
        raise TomoinrError(
            f"{path}: rosettasciio cannot read it as '{kind.module}', it may be damaged: "
            f"{_short(reason(error))}"
        ) from error


def _short(text: str) -> str:
    """The beginning, without what cannot be printed: errors may hold all of a damaged file."""
    return "".join(c if c.isprintable() else "·" for c in text[:LONGEST])


def _of_one_size(found: list[Signal]) -> tuple[list[Signal], list[Signal]]:
    """The signals of the size that has most images, then most pixels; and the others."""
    largest = max((signal.shape for signal in found), key=lambda s: (s[0] > 1, math.prod(s)))
    return (
        [signal for signal in found if signal.shape == largest],
        [signal for signal in found if signal.shape != largest],
    )


def _check_size(path: Path, told: int, packed: int) -> None:
    """Refuse headers that tell of more bytes than can be in the file, packed so many times."""
    size = path.stat().st_size
    if told > size * packed:
        raise TomoinrError(
            f"{path}: tells of {told} bytes of images, but is a file of {size}: it is cut short or "
            "damaged; copy it again"
        )


def _pixel_size(
    path: Path, signal: Signal, given: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Å; none where the file does not say, or not in a length."""
    sizes = signal.pixel_sizes()
    if given is not None or not sizes:
        return given, ()
    if not all(1e-3 <= size <= 1e6 for size in sizes):
        return None, (f"pixels of {sizes[1]:g} × {sizes[0]:g} Å in the file are not believed",)
    if not math.isclose(*sizes, rel_tol=0.01):
        raise TomoinrError(
            f"{path}: pixels of {sizes[1]:g} × {sizes[0]:g} Å, but only square ones can be used; "
            "if they are square, give their size (--pixel-size, in Python pixel_size=)"
        )
    return float(f"{sizes[1]:.7g}"), ()


def _angles(
    path: Path, kind: Kind, signals: list[Signal]
) -> tuple[tuple[float, ...] | None, tuple[str, ...]]:
    """Degrees, and where they are from."""
    for signal in signals:
        if angles := signal.angles():
            return angles, ()
    if kind is VELOX and (angles := velox.tilts(path, signals[0].shape[0])):
        return angles, ("angles are the stage's tilt (alpha) of each frame",)
    return None, ()


def _names(signals: list[Signal]) -> tuple[str, ...]:
    """Of the channels, each once."""
    names = [signal.name for signal in signals]
    return tuple(
        name if names.count(name) == 1 else f"{name} {names[:i].count(name) + 1}"
        for i, name in enumerate(names)
    )
