"""A specimen of several elements, and what HAADF and EDS detectors count of it.

Iron, cobalt and carbon: particles with an iron core in a cobalt shell, of iron, of cobalt, or of
both mixed, each in a coat of carbon. HAADF sees the outside of a particle but hardly the border
between iron and cobalt (their numbers differ by one) and the carbon (a twelfth as bright).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tomoinr.builtin.phantoms import CRYSTALS, packed, turned
from tomoinr.builtin.simulate import expose
from tomoinr.builtin.solids import Array, Canvas, Shape, Solid, bin_by, crystal, ellipsoid
from tomoinr.data import TiltSeries
from tomoinr.metrics import Score, score, unseen_removed

NUMBERS = {"Fe": 26, "Co": 27, "C": 6}
POWER = 1.7  # of the atomic number, in HAADF
FINER = 2  # drawn voxels along a pixel's edge
DOSES = {"HAADF": 100.0, "Fe": 0.3, "Co": 1.0, "C": 0.1}  # mean counts a pixel


@dataclass(frozen=True, eq=False)
class Counted:
    """One detector's counts of a specimen whose densities are `truth` × `rate` counts a voxel."""

    name: str
    series: TiltSeries
    truth: Array  # (y, z, x)
    rate: float

    def score(self, voxels: Array) -> Score:
        """How good a volume of this channel is."""
        return score(voxels, self.truth)


def elements(shape: Shape, seed: int) -> dict[str, Array]:
    """The density (y, z, x) of each element: one is a voxel full of it."""
    rng = np.random.default_rng(seed)
    canvases = {name: Canvas(shape) for name in NUMBERS}

    def put(solid: Solid, **densities: float) -> None:
        for name, canvas in canvases.items():
            canvas.draw(solid, densities.get(name, 0.0))

    for index, (centre, radius) in enumerate(packed(rng, rng.uniform(0.14, 0.32, 30))):
        turn, outer = turned(rng), radius * rng.uniform(0.88, 1, 3)
        put(ellipsoid(centre, outer, turn), C=1.0)
        body = ellipsoid(centre, 0.84 * outer, turn)
        put(body, **({"Co": 0.95}, {"Fe": 0.6}, {"Co": 0.8}, {"Fe": 0.5, "Co": 0.45})[index % 4])
        if index % 4 == 0:
            put(crystal(centre, CRYSTALS[index % 3], 0.55 * radius, turn), Fe=1.0)
    return {name: canvas.volume() for name, canvas in canvases.items()}


def haadf(densities: Mapping[str, Array]) -> Array:
    """What an annular dark-field detector sees of them: iron is one."""
    brightness = (NUMBERS[name] ** POWER * density for name, density in densities.items())
    return np.asarray(sum(brightness) / NUMBERS["Fe"] ** POWER, np.float32)


def shifts(angles: Sequence[float], seed: int, rms: float) -> Array:
    """dx and dy of every tilt (2, T), pixels, less what moving the specimen explains."""
    drawn = rms * np.random.default_rng([seed, 99]).normal(size=(2, len(angles)))
    return np.stack(unseen_removed(drawn[0], drawn[1], np.array(angles, np.float64)))


def counted(
    size: int,
    seed: int,
    angles: Sequence[float],
    doses: Mapping[str, float] = DOSES,
    coarser: Mapping[str, int] | None = None,
    fewer: Mapping[str, int] | None = None,
    shift: float = 0.0,
) -> dict[str, Counted]:
    """Counts of all detectors; some `coarser` so many times, some at every so-manieth tilt.

    `shift`: rms of the images' shifts (pixels), the same of all detectors at a tilt.
    """
    fine = elements((size * FINER,) * 3, seed)
    moves = shifts(angles, seed, shift)
    found = {}
    for number, (name, dose) in enumerate(doses.items()):
        rng = np.random.default_rng([seed, number])
        density = haadf(fine) if name == "HAADF" else fine[name]
        factor, every = (coarser or {}).get(name, 1), (fewer or {}).get(name, 1)
        tilts = np.array(angles[::every], np.float64)
        dx, dy = moves[:, ::every]
        clean = expose(density, tilts, 0 * tilts, dx, dy, FINER)
        rate = dose / float(clean.mean())
        blocks = clean.reshape(len(tilts), size // factor, factor, size // factor, factor)
        counts = rng.poisson(blocks.mean((2, 4)) * rate).astype(np.float32)
        series = TiltSeries(
            torch.from_numpy(counts),
            torch.from_numpy(tilts),
            float(factor),
            (name,),
            source=f"{name}, simulated",
        )
        found[name] = Counted(name, series, bin_by(density, FINER), rate)
    return found
