"""What two halves of the images agree on: every other tilt, reconstructed on its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.doing import doing
from tomoinr.errors import TomoinrError
from tomoinr.fsc import Fsc, fsc
from tomoinr.plugins import Plugins
from tomoinr.recipe import Quality
from tomoinr.team import Team
from tomoinr.trust.again import again, with_views

SHARED = (
    "both halves share the prior and the poses, so they may agree on what is not there: most of "
    "all in the wedge, where nothing was measured"
)
LEVELS = (0.143, 0.5)  # correlations of two halves, by custom


@dataclass(frozen=True, eq=False)
class Halves:
    """Two volumes [y, z, x] from every other tilt, and their correlation by frequency."""

    first: np.ndarray
    second: np.ndarray
    curves: Fsc
    spacing: float  # of voxels, Å

    @property
    def error(self) -> np.ndarray:
        """Half their difference: what remains of it, by chance, in a volume of all the tilts."""
        return np.asarray((self.first - self.second) / 2)

    def scaled(self, factor: float) -> Halves:
        """The same with every voxel multiplied."""
        return replace(self, first=self.first * factor, second=self.second * factor)

    def resolution(self, level: float = LEVELS[0]) -> float:
        """Å at which the measured curve falls below a level; NaN if it never was above.

        Two voxels, the finest that a lattice holds, if it never falls.
        """
        return self.spacing / crossing(self.curves.frequency, self.curves.measured, level)


def halves(
    result: Reconstruction,
    quality: Quality | None = None,
    plugins: Plugins | None = None,
    team: Team | None = None,
) -> Halves:
    """Reconstruct odd and even tilts apart, with the poses found held fixed; one channel.

    `quality`: see `again`; `"fast"` costs about half a fast run.
    """
    if not can_be_halved(result.series):
        raise TomoinrError(
            f"{result.series.source}: too few tilts to compare two halves of them; four are needed"
        )
    made = []
    for number, views in enumerate(split(result.series), start=1):
        with doing(f"trust: reconstructing half {number} of 2 of the images"):
            made.append(again(with_views(result, views), quality, plugins=plugins, team=team))
    first, second = made
    tilts = result.poses.angles().tilt.numpy()
    return Halves(first, second, fsc(first, second, tilts), result.grid.spacing)


def split(series: TiltSeries) -> tuple[list[int], list[int]]:
    """Every other image by angle: indices in the series' own order."""
    order = series.angles.argsort(stable=True).tolist()
    return sorted(order[::2]), sorted(order[1::2])


def can_be_halved(series: TiltSeries) -> bool:
    """Whether both halves hold at least two different angles."""
    return all(np.ptp(series.angles[half].numpy()) > 1e-6 for half in split(series))


def crossing(frequency: np.ndarray, curve: np.ndarray, level: float) -> float:
    """The frequency where a curve first falls below a level; NaN if it never was above it."""
    there = np.isfinite(curve)
    frequency, curve = frequency[there], curve[there]
    below = np.flatnonzero(curve < level)
    if len(curve) == 0 or curve[0] < level:
        return float("nan")
    if len(below) == 0:
        return float(frequency[-1])
    pair = slice(below[0] - 1, below[0] + 1)
    return float(np.interp(-level, -curve[pair], frequency[pair]))
