"""What looks wrong in a file: of its angles and of its images, each in a plain line."""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterator, Sequence

import numpy as np

from tomoinr.io.image_statistics import Image, Statistics

BLANK = 0.01  # an image's spread, against the usual one, below which nothing is to be seen
CLIPPED, FEW = 1e-3, 10  # share and number of pixels at the top from which it is no mere peak
LIMIT = 1e-4  # share of pixels at the type's limit from which the camera was overrun
JUMP, ROBUST = 0.1, 6.0  # off its neighbours by so much of the usual, and of the usual deviation
NEIGHBOURS = 2  # on each side
SAME = 0.01  # degrees by which two angles must differ
GAP = 2.5  # usual steps
MOST = 8  # numbers that are written out


def odd_angles(angles: Sequence[float]) -> Iterator[str]:
    """Of the tilt angles (degrees)."""
    order = np.argsort(angles, kind="stable")
    steps = np.diff(np.asarray(angles, float)[order])
    same = sorted({int(i) for at in np.flatnonzero(steps < SAME) for i in order[at : at + 2]})
    if same:
        yield f"the same angle twice: {_listed(same)}"
    usual = float(np.median(steps[steps >= SAME])) if (steps >= SAME).any() else math.inf
    for at in np.flatnonzero(steps > GAP * usual):
        low, high = angles[order[at]], angles[order[at + 1]]
        yield f"no image between {low:g}° and {high:g}°, where steps are {usual:.3g}°"
    highest = max(map(abs, angles))
    if len(angles) > 4 and 0 < highest < math.pi / 2 and usual < 0.2:
        yield f"angles reach only {highest:.3g}: are these radians? They must be degrees"
    if highest > 180:
        yield f"an angle of {highest:g}° is beyond a whole turn"


def odd_images(found: Statistics, angles: Sequence[float] | None) -> Iterator[str]:
    """Of the images, whose neighbours are those of the nearest angles."""
    images = found.images
    order = range(len(images)) if angles is None else np.argsort(angles, kind="stable").tolist()
    lost = [i for i, image in enumerate(images) if image.not_finite]
    if lost:
        yield f"{found.not_finite} values are NaN or infinite, in {_listed(lost)}"
    usual = float(np.median([image.std for image in images if image.finite] or [0.0]))
    flat = [i for i, image in enumerate(images) if image.finite and image.low == image.high]
    if flat:
        yield f"flat, every pixel the same: {_listed(flat)}"
    empty = {*flat, *(i for i, image in enumerate(images) if not image.finite)}
    blank = [i for i, im in enumerate(images) if i not in empty and im.std < BLANK * usual]
    if blank:
        yield f"nearly blank, next to no contrast: {_listed(blank)}"
    yield from _saturated(images, empty)
    yield from _repeated(images, empty)
    seen = [i for i in order if i not in {*empty, *blank}]
    yield from _jumping("mean", {i: images[i].mean for i in seen}, JUMP * usual)
    yield from _jumping("contrast", {i: images[i].std for i in seen}, JUMP * usual)


def _saturated(images: Sequence[Image], skip: Container[int]) -> Iterator[str]:
    """Many pixels at the type's limit, or more at the highest value than just below it."""
    kept = {i: image for i, image in enumerate(images) if i not in skip}
    limit = {i: part for i, im in kept.items() if (part := im.at_limit / im.finite) > LIMIT}
    if limit:
        worst = f"{max(limit.values()):.2%} of pixels"
        yield f"saturated, up to {worst} at the limit of their type: {_listed(limit)}"
    cut = {
        i: image.at_top / image.finite
        for i, image in kept.items()
        if i not in limit and image.at_top > max(CLIPPED * image.finite, FEW, 2 * image.below_top)
    }
    if cut:
        worst = f"{max(cut.values()):.2%} of pixels"
        yield f"probably saturated, up to {worst} exactly at the highest value: {_listed(cut)}"


def _repeated(images: Sequence[Image], skip: Container[int]) -> Iterator[str]:
    """Images that equal an earlier one bit for bit."""
    first: dict[bytes, int] = {}
    copies = [
        i
        for i, image in enumerate(images)
        if i not in skip and first.setdefault(image.digest, i) != i
    ]
    if copies:
        yield f"the same as an earlier image, bit for bit: {_listed(copies)}"


def _jumping(name: str, values: dict[int, float], least: float) -> Iterator[str]:
    """A line on those of these values, in their order, that jump."""
    numbers = list(values)
    if out := [numbers[at] for at in _jumps(list(values.values()), least)]:
        yield f"the {name} jumps away from the neighbours': {_listed(sorted(out))}"


def _jumps(values: Sequence[float], least: float) -> list[int]:
    """Places whose value is far from the median of those around it."""
    if len(values) < 2 * NEIGHBOURS + 1:
        return []
    around = np.array([_around(values, i) for i in range(len(values))])
    off = np.abs(np.array(values) - np.median(around, axis=1))
    usual = float(np.median(np.abs(values)))
    enough = np.full(len(values), max(ROBUST * 1.4826 * float(np.median(off)), JUMP * usual, least))
    ends = [*range(NEIGHBOURS), *range(len(values) - NEIGHBOURS, len(values))]
    enough[ends] += np.ptp(around[ends], axis=1)  # which have neighbours on one side, on a slope
    return np.flatnonzero(off > enough).tolist()


def _around(values: Sequence[float], i: int) -> list[float]:
    """The values of its neighbours; at an end, of more on the other side."""
    first = min(max(0, i - NEIGHBOURS), len(values) - 2 * NEIGHBOURS - 1)
    return [values[j] for j in range(first, first + 2 * NEIGHBOURS + 1) if j != i]


def _listed(numbers: Collection[int]) -> str:
    """`image 7`, `images 1-3, 7`; cut where there are many."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    more = ", …" if len(texts) > MOST else ""
    return f"image{'s' * (len(numbers) > 1)} {', '.join(texts[:MOST])}{more}"
