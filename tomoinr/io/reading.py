"""From a file to a tilt series: who reads it, and what is taken for true of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.interfaces import Preparation
from tomoinr.io.angles import angles_beside, read_angles
from tomoinr.io.mdoc import completed
from tomoinr.io.orient import Axis, oriented, other_notes, tilt_axis_of
from tomoinr.io.sections import read_sections
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

log = logging.getLogger(__name__)

UNKNOWN = 1.0  # Å, by which files, and series in memory, say that they know no pixel size
AT_ONCE = 64 << 20  # bytes of images that are prepared together, where each is on its own


def open_stack(
    path: str | Path, plugins: Plugins | None = None, pixel_size: float | None = None
) -> Stack:
    """What a file says of its images, which stay where they are."""
    path = _path(path)
    if not path.exists():
        raise TomoinrError(f"{path}: there is no such file")
    if path.is_file() and not path.stat().st_size:
        raise TomoinrError(f"{path}: the file is empty")
    with told_plainly(f"{path}: cannot be read"):
        found = (plugins or Plugins()).read(path, pixel_size)
    if isinstance(found, TiltSeries):
        found = Stack.of(found)
    if not isinstance(found, Stack):
        raise TomoinrError(
            f"{path}: this is not a file; give the stack itself"
            if path.is_dir()
            else f"{path}: no reader knows this file; docs/formats.md lists what can be read"
        )
    log.debug("%s: %s sections of %s × %s, %s", path, *found.shape, found.dtype)
    said = None if found.pixel_size == UNKNOWN else found.pixel_size
    return replace(found, pixel_size=said if pixel_size is None else pixel_size)


def describe(
    path: str | Path,
    angles: Any = None,
    plugins: Plugins | None = None,
    pixel_size: float | None = None,
    tilt_axis: Axis = None,
) -> Stack:
    """A file with all that is taken for true of it; what is given is believed before the file.

    `angles`: see `read_angles`; none: a file beside the stack, else its own. `pixel_size` in Å.
    `tilt_axis`: `"y"` (along columns), `"x"` (along rows), or degrees counter-clockwise from y.
    """
    path = _path(path)
    stack = completed(open_stack(path, plugins, pixel_size), path)
    told, where = _angles(path, stack, angles)
    degrees, axis = tilt_axis_of(tilt_axis, stack)
    notes = (where, axis, *other_notes(stack))
    return replace(stack, angles=told, tilt_axis=degrees, notes=notes)


def take(
    stack: Stack, exclude: str | Iterable[int] = (), prepare: Sequence[Preparation] = ()
) -> TiltSeries:
    """The images of a described file, prepared.

    `exclude`: numbers of images, from 0, as `"0,17-19"`.
    """
    wanted = stack.but(read_sections(exclude))
    if not wanted.shape[0]:
        raise TomoinrError(
            f"{stack.source}: no image is left of its {stack.shape[0]}; exclude fewer (--exclude)"
        )
    begun = time.perf_counter()
    whole = next((i for i, step in enumerate(prepare) if not step.apart), len(prepare))
    with told_plainly(f"{stack.source}: cannot be read"):
        series = _read(wanted, prepare[:whole])
    series = replace(series, notes=stack.notes)
    for step in prepare[whole:]:
        series = step.prepare(series)
    log.info("read %r in %.2f s", series, time.perf_counter() - begun)
    return series


def load(
    path: str | Path,
    angles: Any = None,
    plugins: Plugins | None = None,
    pixel_size: float | None = None,
    tilt_axis: Axis = None,
    exclude: str | Iterable[int] = (),
    prepare: Sequence[Preparation] = (),
) -> TiltSeries:
    """A tilt series from a file; see `describe` and `take`."""
    return take(describe(path, angles, plugins, pixel_size, tilt_axis), exclude, prepare)


def _path(given: Any) -> Path:
    try:
        return Path(given)
    except TypeError:
        raise TomoinrError(f"a tilt series is read from a path, got {given!r}") from None


def _angles(path: Path, stack: Stack, given: Any) -> tuple[tuple[float, ...], str]:
    """The angles, one for each image, and where they come from."""
    if given is not None:
        angles, where = read_angles(given), "as given"
    elif beside := angles_beside(path):
        angles, where = read_angles(beside), f"from {beside.name}"
    elif stack.angles is not None:
        angles, where = stack.angles, "from the file itself"
    else:
        raise TomoinrError(
            f'{path}: no tilt angles; give them (--angles FILE or "-60:60:3"), or put '
            f"{path.with_suffix('.rawtlt').name} or {path.with_suffix('.tlt').name} beside it, "
            "one angle in degrees a line"
        )
    images = stack.shape[0]
    if len(angles) != images:
        raise TomoinrError(
            f"{path}: {images} images but {len(angles)} angles ({where}); "
            "give one angle for each image (--angles, in Python angles=)"
        )
    return angles, f"angles {where}"


def _read(stack: Stack, apart: Sequence[Preparation]) -> TiltSeries:
    """The images, prepared a few at a time where that is possible."""
    tilts, rows, columns = stack.shape
    if not apart:
        return _series(stack, 0, tilts)
    # Two neighbours may well have one angle, which a whole series may not.
    numbered = replace(stack, angles=tuple(map(float, range(tilts))))
    few = max(2, AT_ONCE // max(1, 4 * len(stack.channels) * rows * columns))
    images = torch.empty(0)
    for part in torch.arange(tilts).tensor_split(max(1, tilts // few)):
        first, last = int(part[0]), int(part[-1]) + 1
        series = _series(numbered, first, last)
        for step in apart:
            series = step.prepare(series)
        if not first:  # only now are channels, rows and columns known
            channels, _, *size = series.images.shape
            images = series.images.new_empty(channels, tilts, *size)
        images[:, first:last] = series.images
    angles = torch.tensor(stack.angles, dtype=torch.float64)
    sections = stack.sections or tuple(range(tilts))
    return replace(series, images=images, angles=angles, sections=sections)


def _series(stack: Stack, first: int, last: int) -> TiltSeries:
    """Some of the images, their tilt axis along the columns or near it."""
    assert stack.angles is not None and stack.tilt_axis is not None, "described by now"
    sections = stack.sections or tuple(range(stack.shape[0]))
    images, left = oriented(stack.read(first, last), stack.tilt_axis)
    return TiltSeries(
        images,
        torch.tensor(stack.angles[first:last], dtype=torch.float64),
        1.0 if stack.pixel_size is None else stack.pixel_size,
        stack.channels,
        sections[first:last],
        stack.source,
        left,
    )
