"""What TomoPy hands over: the whole, or one of the slabs that it has split among its threads.

A slab split off cannot be solved by itself: poses, priors and the scale belong to the whole. The
first that arrives solves the whole, through the arrays that all slabs are parts of; the others
wait and find their part done.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tomoinr.errors import TomoinrError, reason

Array = NDArray[np.float32]


class Slab(NamedTuple):
    """Some slices: data (slices, angles, columns), centres (slices,), volume (slices, z, x)."""

    tomo: Array
    center: Array
    recon: Array

    def place(self) -> tuple[int, Slab] | None:
        """The first slice's number and the whole that this is a part of; none: this is all."""
        center, recon = self.center.base, self.recon.base
        if not isinstance(center, np.ndarray) or not isinstance(recon, np.ndarray):
            return None
        if len(self.recon) in (len(center), len(recon)):  # TomoPy makes at least one of them anew
            return None
        if not isinstance(self.tomo.base, np.ndarray):
            return -1, self
        whole = Slab(self.tomo.base, center, recon)
        first = {_first(mine, all_) for mine, all_ in zip(self, whole, strict=True)}
        alike = len(first) == 1 and len({len(array) for array in whole}) == 1
        return (first.pop(), whole) if alike else (-1, self)


def _first(mine: Array, whole: Array) -> int:
    """Where in the whole a part begins; -1: its slices are not like those of the whole."""
    if mine.shape[1:] != whole.shape[1:] or mine.strides != whole.strides:
        return -1
    return (mine.ctypes.data - whole.ctypes.data) // whole.strides[0]


@dataclass
class Job:
    """One call of `tomopy.recon` whose slabs are arriving."""

    volume: weakref.ref[Array]
    seen: dict[int, int] = field(default_factory=dict)  # first slice of a slab → its slices
    failed: str | None = None  # no exception: one that is kept keeps the arrays it has seen


class Jobs:
    """The calls that are under way."""

    def __init__(self) -> None:
        self._lock, self._jobs = Lock(), dict[int, Job]()

    def once(self, first: int, count: int, volume: Array, solve: Callable[[], Any]) -> None:
        """Solve when the first slab of a volume arrives; tell all of them of a failure."""
        with self._lock:
            job = self._jobs.get(id(volume))
            # A slab that comes again belongs to a new call: the last one was broken off.
            begun = job is not None and job.volume() is volume and first not in job.seen
            if job is None or not begun:
                job = self._jobs[id(volume)] = Job(weakref.ref(volume))
            job.seen[first] = count
            if sum(job.seen.values()) == len(volume):
                del self._jobs[id(volume)]
            if not begun:
                _solve(job, solve)
            elif job.failed:
                raise TomoinrError(job.failed)


def _solve(job: Job, solve: Callable[[], Any]) -> None:
    try:
        solve()
    except BaseException as error:
        job.failed = reason(error)
        raise


JOBS = Jobs()


def whole_once(slab: Slab, call: str, solve: Callable[[Slab], None]) -> None:
    """Solve the whole that a slab belongs to, once; `call` is what to write where none is found."""
    if slab.recon.ndim != 3:
        raise TomoinrError(
            f"nchunk=0 hands over one slice at a time, but they are solved together: call {call}"
        )
    place = slab.place()
    if place is None:
        solve(slab)
        return
    first, whole = place
    if first < 0:
        raise TomoinrError(
            f"TomoPy split the slices among its threads, but they are solved together: call {call}"
        )
    JOBS.once(first, len(slab.recon), whole.recon, lambda: solve(whole))
