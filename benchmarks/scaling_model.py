"""What a step costs on many ranks: work, shared out; all-reduces, halos, waiting for the slowest.

    step = (work / ranks + fixed) × waiting + talk
    talk = messages × latency + bytes / bandwidth

`joint` sums the gradients of its network: a ring all-reduce of M bytes, 2 (N - 1)/N M / bandwidth.
`sirt` and `tv` tell their two neighbours halos: 4 × reach slices in and out, whatever N is, and sum
a few numbers. Work is points of a network, or (tilts × voxels) of a projector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

SIZES = (32, 48, 64, 96, 128)  # of the problems measured
TILTS, BATCH, NETWORK = 41, 8, 12_800  # as scaling.py has them: rows of an image, parameters
REACH = 3  # slices of a halo, where images are in place
MEASURED = Callable[[str, int, int], tuple[float, float]]
"""(method, size, ranks) → seconds of a step, and of its talk."""


def fitted(methods: Sequence[str], measured: MEASURED) -> Iterator[str]:
    """The constants that explain what is measured, and how well they do."""
    yield f"{'':8}{'n':>5}{'ranks':>6}{'ms measured':>13}{'ms model':>10}{'talk':>8}{'model':>8}"
    for name in methods:
        alone = [measured(name, size, 1)[0] for size in SIZES]
        both = [measured(name, size, 2) for size in SIZES]
        work = _line([units(name, n) for n in SIZES], alone)
        talk = _line([said(name, n, 2) for n in SIZES], [t for _, t in both])
        for size, one, (two, spoken) in zip(SIZES, alone, both, strict=True):
            told = work.fixed + work.each * units(name, size)
            chat = talk.fixed + talk.each * said(name, size, 2)
            shared = work.fixed + work.each * units(name, size) / 2 + chat
            yield f"{name:8}{size:5}{1:6}{1e3 * one:13.1f}{1e3 * told:10.1f}"
            yield (
                f"{name:8}{size:5}{2:6}{1e3 * two:13.1f}{1e3 * shared:10.1f}"
                f"{1e3 * spoken:8.2f}{1e3 * chat:8.2f}"
            )
        rate = f"{1e-9 / talk.each:.2g} GB/s" if talk.each else "too fast to be seen"
        yield (
            f"{name}: {1e9 * work.each:.3g} ns a unit of work, {1e3 * work.fixed:.2g} ms that is "
            f"not shared; {1e3 * talk.fixed:.2g} ms a step of latency and waiting, {rate}"
        )


class Line(NamedTuple):
    """fixed + each × units, neither below zero."""

    fixed: float
    each: float


def _line(units: Sequence[float], seconds: Sequence[float]) -> Line:
    """Relative errors weigh alike: small problems count as much as large ones."""
    seconds = np.asarray(seconds)
    matrix = np.stack((np.ones(len(seconds)), np.asarray(units, float)), 1) / seconds[:, None]
    scale = np.linalg.norm(matrix, axis=0)
    found, _ = nnls(matrix / scale, np.ones(len(seconds)))
    return Line(*(found / scale))


def units(name: str, n: int) -> float:
    """What there is to do in a step: points of a network, or tilts × voxels."""
    return float(BATCH * n * n if name == "joint" else TILTS * n**3)


def said(name: str, n: int, ranks: int) -> float:
    """Bytes that a rank sends in a step."""
    if name == "joint":
        return 2 * (ranks - 1) / ranks * 4.0 * NETWORK
    return 2 * 2 * REACH * 4.0 * n * n


@dataclass(frozen=True)
class Machine:
    """GPUs in nodes: assumptions, from data sheets and common practice."""

    flops: float = 400e12  # of dense bf16 arithmetic, as small networks reach it (40 % of the peak)
    memory_bandwidth: float = 3e12  # bytes/s
    gpus: int = 8  # a node
    inside: float = 300e9  # bytes/s between GPUs of a node
    between: float = 50e9  # bytes/s between nodes, a GPU
    latency: float = 10e-6  # seconds a hop
    fixed: float = 2e-3  # seconds a step that no GPU shortens: launches and the host
    spread: float = 0.03  # of a rank's time, standard deviation


@dataclass(frozen=True)
class Load:
    """A step on slices: `joint` looks at a network on a batch of rows, `tv` at all voxels."""

    size: int
    solver: str = "joint"
    tilts: int = 61
    parameters: float = 0.3e6
    rows: int = 16  # of every image, for each GPU: batches that grow with the number of GPUs
    depth: float = 0.5  # of the width
    reach: int = 16  # slices of a halo: images turned by 1° and shifted by some pixels


def predictions() -> Iterator[str]:
    """Step times and memory for large volumes."""
    machine = Machine()
    yield f"assumed: {machine}"
    yield f"assumed: {Load(0)}; joint: batches that grow with the number of GPUs; tv: one volume"
    head = ("", 6), ("n", 6), ("GPUs", 6), ("ms/step", 9), ("talk", 7), ("efficiency", 12)
    yield "".join(f"{name:>{width}}" for name, width in (*head, ("GiB/GPU", 9))) + "  largest part"
    for solver in ("joint", "tv"):
        for size in (512, 1024, 2048, 4096):
            for gpus in (8, 64, 512):
                yield _told(Load(size, solver), gpus, machine)


def _told(load: Load, gpus: int, machine: Machine) -> str:
    if load.solver == "tv" and load.size // gpus < load.reach:
        few = f"{load.size // gpus} slices a GPU are fewer than a halo of {load.reach}"
        return f"{load.solver:>6}{load.size:6}{gpus:6}  {few}: every GPU would hold the whole"
    alone = _worked(load, gpus, machine)
    talk = _talked(load, gpus, machine)
    step = (alone + machine.fixed) * (1 + machine.spread * math.sqrt(2 * math.log(gpus))) + talk
    best = _shared(load, gpus, machine) if load.solver == "tv" else alone + machine.fixed
    parts = _needed(load, gpus)
    largest = max(parts, key=lambda name: parts[name])
    return (
        f"{load.solver:>6}{load.size:6}{gpus:6}{1e3 * step:9.1f}{talk / step:7.1%}"
        f"{best / step:12.2f}{sum(parts.values()) / 2**30:9.1f}  {largest}"
    )


def _worked(load: Load, gpus: int, machine: Machine) -> float:
    """Seconds of one GPU: the network forwards and backwards, then the slices through memory."""
    if load.solver == "tv":
        return _shared(load, gpus, machine) * (1 + 2 * load.reach * gpus / load.size)
    points = load.rows * load.size**2 * load.depth
    network = 6 * load.parameters * points / machine.flops
    return network + 2 * 2 * 8 * 2 * points * load.tilts / machine.memory_bandwidth


def _shared(load: Load, gpus: int, machine: Machine) -> float:
    """Seconds of one GPU for its own slices, without halos: A and its transpose once each."""
    voxels = load.size**3 * load.depth / gpus
    return 2 * 2 * 8 * voxels * load.tilts / machine.memory_bandwidth


def _talked(load: Load, gpus: int, machine: Machine) -> float:
    """Seconds of halos, or of a ring all-reduce, within nodes and between them."""
    nodes = math.ceil(gpus / machine.gpus)
    if load.solver == "tv":
        halos = 2 * 2 * load.reach * 4 * load.size**2 * load.depth
        bandwidth = machine.between if nodes > 1 else machine.inside
        return halos / bandwidth + (4 + 2 * math.log2(gpus)) * machine.latency
    return all_reduce(4 * load.parameters, gpus, machine)


def all_reduce(size: float, gpus: int, machine: Machine) -> float:
    """Seconds to sum so many bytes: rings within nodes, and between them."""
    seconds, nodes = 0.0, math.ceil(gpus / machine.gpus)
    rings = (min(gpus, machine.gpus), machine.inside), (nodes, machine.between)
    for count, bandwidth in rings:
        ring = 2 * (count - 1) / count * size / bandwidth
        seconds += ring + 2 * math.log2(count) * machine.latency
    return seconds


def _needed(load: Load, gpus: int) -> dict[str, float]:
    """Bytes on a GPU, as it is built now: images and matrices whole on every rank."""
    volume = 4 * load.size**3 * load.depth
    whole = {
        "images": 4.0 * load.tilts * load.size**2,
        "matrices": 8 * 2 * load.tilts * load.size**2 * load.depth,
    }
    if load.solver == "tv":
        slab = volume * min(1, 1 / gpus + 2 * load.reach / load.size)
        return whole | {"the slab, five times": 5 * slab, "the final volume": volume}
    points = load.rows * load.size**2 * load.depth
    batch = 24e3 * min(1 << 20, points) + 8 * points
    return whole | {"the batch": batch, "the final volume, gathered": 2 * volume}
