"""What there is to look at in a file: a volume of a size for screens, or images one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.io import describe
from tomoinr.io.angles import angles_beside
from tomoinr.io.volumes import Filed, find, turned
from tomoinr.plugins import Plugins

MOST = 128 << 20  # voxels shown: of larger volumes every second, third … along each axis
SHOWN = 9  # images of a stack that a picture holds
GREYS = (0.5, 99.8)  # percentiles: black and white


@dataclass(frozen=True, eq=False)
class Plane:
    """Parallel pictures: `at(i)` is [row, column], rows upwards; `names` tells what each is."""

    title: str
    count: int
    at: Callable[[int], np.ndarray]
    name: Callable[[int], str]
    first: int  # shown at the beginning
    several: tuple[int, ...]  # what one picture shows of it


@dataclass(frozen=True, eq=False)
class Seen:
    """A file as its planes, with grey levels that suit all of them."""

    title: str
    planes: tuple[Plane, ...]
    low: float
    high: float


def look(path: Path, angles: str | None, plugins: Plugins) -> Seen:
    """A volume in three directions, or the images of a stack."""
    found = find(path, plugins)
    if not found.is_volume and (angles or found.stack.angles or angles_beside(path)):
        found = Filed(describe(path, angles, plugins))
    if len(found.stack.channels) > 1 and found.is_volume:
        raise TomoinrError(f"{path}: holds several channels; take one: tomoinr convert --channel")
    return _volume(found) if found.is_volume else _images(found)


def _volume(found: Filed) -> Seen:
    stack, step = found.stack, 1
    while np.prod([-(-n // step) for n in stack.shape], dtype=float) > MOST:
        step += 1
    sections = range(0, stack.shape[0], step)
    with told_plainly(f"{stack.source}: cannot be read"):
        filed = np.stack([np.float32(stack.image(i)[::step, ::step]) for i in sections])
    voxels = turned(filed, found.order)
    every = {1: "", 2: ", every second voxel"}.get(step, f", one voxel in {step}")
    size = " × ".join(map(str, turned(np.empty(stack.shape, "?"), found.order).shape))
    planes = tuple(_across(voxels, axis, step) for axis in range(3))
    return Seen(f"{stack.source}: {size} voxels (y, z, x){every}", planes, *_greys(voxels))


def _across(voxels: np.ndarray, axis: int, step: int) -> Plane:
    """Slices across one axis of [y, z, x]; the one that varies most comes first."""
    title = ("along the tilt axis: x–z", "from above: x–y", "from the side: z–y")[axis]
    others = tuple(a for a in range(3) if a != axis)
    richest = int(np.nan_to_num(voxels.var(axis=others)).argmax())
    return Plane(
        title,
        voxels.shape[axis],
        lambda i: voxels.take(i, axis),
        lambda i: f"{'yzx'[axis]} = {i * step}",
        richest,
        (richest,),
    )


def _images(found: Filed) -> Seen:
    stack = found.stack
    count = stack.shape[0]
    tilts = stack.angles or ()

    def image(i: int) -> np.ndarray:
        with told_plainly(f"{stack.source}: cannot be read"):
            return np.float32(stack.image(i)).reshape(-1, *stack.shape[1:])[0]

    def name(i: int) -> str:
        return f"image {i}" + (f", {tilts[i]:g}°" if tilts else "")

    first = int(np.abs(tilts).argmin()) if tilts else count // 2
    several = tuple(np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int)))
    sample = np.stack([image(i)[::4, ::4] for i in several])
    size = f"{stack.shape[1]} × {stack.shape[2]}"
    plane = Plane("images", count, image, name, first, several)
    return Seen(f"{stack.source}: {count} images of {size}", (plane,), *_greys(sample))


def _greys(values: np.ndarray) -> tuple[float, float]:
    """Black and white, from about a million values."""
    some = values.reshape(-1)[:: max(1, values.size // 1_000_000)]
    some = some[np.isfinite(some)]
    low, high = map(float, np.percentile(some, GREYS)) if len(some) else (0.0, 1.0)
    return low, high if high > low else low + 1
