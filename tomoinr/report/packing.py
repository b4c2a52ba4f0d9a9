"""Arrays as they travel in a page: one byte a value, zipped, in letters."""

from __future__ import annotations

import base64
import gzip
from typing import NamedTuple

import numpy as np

TAILS = (0.01, 99.99)  # percentiles: what is beyond is cut off, where it is far beyond
FAR = 1.5  # times their distance
SAMPLE = 1_000_000


class Packed(NamedTuple):
    """Bytes, and the values of the lowest and the highest."""

    values: np.ndarray
    low: float
    high: float


def packed(array: np.ndarray, low: float | None = None, high: float | None = None) -> Packed:
    """Values as bytes: value = low + byte / 255 × (high - low), to half a step."""
    if low is None or high is None:
        low, high = _ends(array)
    span = (high - low) or 1.0
    scaled = np.clip((array - np.float32(low)) * np.float32(255 / span), 0, 255)
    return Packed(np.rint(scaled).astype(np.uint8), low, low + span)


def letters(*arrays: np.ndarray) -> str:
    """Bytes of some arrays, one after the other, zipped (the same every time), in base 64."""
    joined = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return base64.b64encode(gzip.compress(joined, 6, mtime=0)).decode("ascii")


def window(array: np.ndarray, tails: tuple[float, float] = (0.5, 99.8)) -> tuple[float, float]:
    """The grey levels to begin with."""
    low, high = np.percentile(_sample(array), tails)
    return (float(low), float(high)) if high > low else _ends(array)


def _ends(array: np.ndarray) -> tuple[float, float]:
    low, high = float(array.min()), float(array.max())
    first, last = map(float, np.percentile(_sample(array), TAILS))
    if 0 < FAR * (last - first) < high - low:
        return first, last
    return low, high


def _sample(array: np.ndarray) -> np.ndarray:
    flat = array.reshape(-1)
    return flat[:: max(1, flat.size // SAMPLE)]
