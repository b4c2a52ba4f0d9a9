"""Numbers about images, found one image at a time."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tomoinr.stack import Stack

SAMPLE = 1 << 20  # values in all from which percentiles are taken
PERCENTILES = (1, 50, 99)
SOME = 4096  # pixels by which whole numbers are known
TOP = 0.01  # of an image's range: what counts as just below its highest value


class Image(NamedTuple):
    """One image of one channel; only its finite values count."""

    low: float
    high: float
    mean: float
    std: float
    finite: int
    not_finite: int
    at_top: int  # pixels at the highest value
    below_top: int  # and those that come close to it
    at_limit: int  # pixels at the highest value of the type, or at a signed type's lowest
    digest: bytes


@dataclass(frozen=True, eq=False)
class Statistics:
    """All images of one channel; percentiles of as many values as fit into `SAMPLE`."""

    channel: str
    images: tuple[Image, ...]
    percentiles: dict[int, float]

    @property
    def low(self) -> float:
        """The lowest value."""
        return min((i.low for i in self.images if i.finite), default=math.nan)

    @property
    def high(self) -> float:
        """The highest value."""
        return max((i.high for i in self.images if i.finite), default=math.nan)

    @property
    def mean(self) -> float:
        """Of all finite values."""
        return _weighted(self.images, np.array([image.mean for image in self.images]))

    @property
    def std(self) -> float:
        """Of all finite values: within images, and between them."""
        apart = np.array([(i.mean - self.mean) ** 2 + i.std**2 for i in self.images])
        return float(np.sqrt(_weighted(self.images, apart)))

    @property
    def not_finite(self) -> int:
        """How many values are NaN or infinite."""
        return sum(image.not_finite for image in self.images)


def measure(stack: Stack) -> list[Statistics]:
    """Statistics of each channel; one image is in memory at a time."""
    few = max(1, SAMPLE // max(1, stack.shape[0]))
    random = np.random.default_rng(0)
    images: list[list[Image]] = [[] for _ in stack.channels]
    samples: list[list[np.ndarray]] = [[] for _ in stack.channels]
    for number in range(stack.shape[0]):
        planes = np.asarray(stack.image(number)).reshape(len(stack.channels), -1)
        for channel, values in enumerate(planes):
            images[channel].append(_image(values))
            samples[channel].append(_some(values, few, random))
    return [
        Statistics(name, tuple(found), _percentiles(np.concatenate(taken)))
        for name, found, taken in zip(stack.channels, images, samples, strict=True)
    ]


def _image(values: np.ndarray) -> Image:
    """The numbers of one image (its pixels in a row)."""
    digest = hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    lost = values.size - finite.size
    if not finite.size:
        nan = math.nan
        return Image(nan, nan, nan, nan, 0, lost, 0, 0, 0, digest)
    low, high = finite.min(), finite.max()
    at_top = int((finite == high).sum())
    counts = bool((finite[:SOME] == np.rint(finite[:SOME])).all())  # whole numbers, of any type
    near = max(TOP * (float(high) - float(low)), float(counts))
    below_top = int((finite >= float(high) - near).sum()) - at_top
    mean, std = float(finite.mean(dtype=np.float64)), float(finite.std(dtype=np.float64))
    return Image(
        float(low), float(high), mean, std, finite.size, lost, at_top, below_top,
        _at_limit(finite), digest,
    )  # fmt: skip


def _at_limit(values: np.ndarray) -> int:
    """How many values are as high, or as far below zero, as the type allows."""
    if values.dtype.kind not in "iu":
        return 0
    limits = np.iinfo(values.dtype)
    lowest = int((values == limits.min).sum()) if limits.min else 0
    return int((values == limits.max).sum()) + lowest


def _some(values: np.ndarray, few: int, random: np.random.Generator) -> np.ndarray:
    """All values, or some drawn at random."""
    taken = values if values.size <= few else values[random.integers(0, values.size, few)]
    return taken[np.isfinite(taken)].astype(np.float64)


def _percentiles(values: np.ndarray) -> dict[int, float]:
    if not values.size:
        return {}
    return dict(zip(PERCENTILES, np.percentile(values, PERCENTILES).tolist(), strict=True))


def _weighted(images: tuple[Image, ...], values: np.ndarray) -> float:
    """The mean of values of images, each counted by its finite pixels."""
    weights = np.array([image.finite for image in images])
    if not weights.any():
        return math.nan
    return float(np.average(np.where(weights > 0, values, 0.0), weights=weights))
