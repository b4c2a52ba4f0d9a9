"""Levels of an array, each half as large as the one before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ENOUGH = 64  # pixels along an axis, at which no further level is made


def levels(array: np.ndarray, halved: int) -> Iterator[tuple[np.ndarray, tuple[int, ...]]]:
    """The array and coarser ones, and by how much each axis is coarser; the last `halved` axes."""
    factors = [1] * array.ndim
    yield array, tuple(factors)
    first = array.ndim - halved
    while max(array.shape[first:]) > ENOUGH:
        for axis in range(first, array.ndim):
            if array.shape[axis] > 1:
                array = _mean_of_pairs(array, axis)
                factors[axis] *= 2
        yield array, tuple(factors)


def _mean_of_pairs(array: np.ndarray, axis: int) -> np.ndarray:
    """One that has no partner, at the end, is left out."""
    even = [slice(None)] * array.ndim
    odd = [slice(None)] * array.ndim
    whole = array.shape[axis] // 2 * 2
    even[axis], odd[axis] = slice(0, whole, 2), slice(1, whole, 2)
    return (array[tuple(even)] + array[tuple(odd)]) * np.float32(0.5)
