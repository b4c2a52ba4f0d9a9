"""The cells: a phantom, and how its tilt series is taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tomoinr import TiltSeries, TomoinrError
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.geometry import Poses

PHANTOMS = ("nanoparticles", "core_shell", "dendrite", "ellipsoids")
# How far poses are off: rms shift (pixels) and turn (degrees), and a turn of all images (degrees).
POSES = {"": (0.0, 0.0, 0.0), "moved": (2.0, 1.5, 0.0), "far": (6.0, 4.0, 3.0)}
OVERSAMPLE = 3  # the specimen is that much finer than the voxels that must explain it


@dataclass(frozen=True)
class Cell:
    """Tilts within ±`reach` degrees every `step` degrees; mean counts per pixel; poses off or not.

    `reach` is kept exactly, so the step is rounded where it does not divide the range.
    """

    phantom: str
    reach: float = 60
    step: float = 3
    dose: float = 30
    off: str = ""  # one of POSES

    @property
    def name(self) -> str:
        numbers = (f"{value:g}" for value in (self.reach, self.step, self.dose))
        return "-".join([self.phantom, *numbers, *([self.off] if self.off else [])])

    @property
    def moved(self) -> bool:
        """Whether the recorded poses are wrong."""
        return bool(self.off)

    @classmethod
    def parse(cls, name: str) -> Cell:
        """The cell of a name, of those listed or any other."""
        rest, _, last = name.rpartition("-")
        off = last if last in POSES else ""
        phantom, *numbers = (rest if off else name).split("-")
        try:
            reach, step, dose = map(float, numbers)
        except ValueError:
            reach = step = dose = math.nan
        if phantom not in PHANTOMS or not (reach > 0 and step > 0 and dose > 0):
            raise TomoinrError(
                f"'{name}' is no cell; write phantom-reach-step-dose[-moved or -far], such as "
                f"nanoparticles-60-3-inf, with a phantom of {', '.join(PHANTOMS)}"
            )
        return cls(phantom, reach, step, dose, off)

    def acquisition(self) -> Acquisition:
        count = round(2 * self.reach / self.step) + 1
        shift, turn, axis = POSES[self.off]
        return Acquisition(
            tuple(np.linspace(-self.reach, self.reach, count)),
            dose=self.dose,
            shift=shift,
            rotation=turn,
            axis=axis,
            oversample=OVERSAMPLE,
        )


CELLS = (
    *(Cell(phantom, dose=dose) for dose in (30, 100, math.inf) for phantom in PHANTOMS),
    *(Cell("nanoparticles", reach=reach) for reach in (50, 70)),
    *(Cell("nanoparticles", step=step) for step in (2, 6)),
    *(Cell(phantom, dose=10) for phantom in ("nanoparticles", "ellipsoids")),
    *(Cell("nanoparticles", dose=dose, off="moved") for dose in (30, 100)),
    Cell("core_shell", dose=30, off="moved"),
    Cell("dendrite", dose=100, off="moved"),
    Cell("nanoparticles", dose=30, off="far"),
    Cell("core_shell", dose=100, off="far"),
)


@dataclass(frozen=True, eq=False)
class Case:
    """What a method is given, and what it is judged by."""

    series: TiltSeries
    truth: np.ndarray  # (y, z, x)
    dx: np.ndarray  # true shifts (T,), pixels
    dy: np.ndarray
    phi: np.ndarray  # true in-plane rotation (T,), degrees

    def poses(self) -> Poses:
        """The true ones."""
        dx, dy, phi = map(torch.from_numpy, (self.dx, self.dy, self.phi))
        return Poses.of(self.series.angles, phi, shift=torch.stack((dx, dy), dim=1))


def take(cell: Cell, size: int, seed: int, folder: Path) -> Path:
    """The file of a cell's data; simulated once, since that takes longer than some methods."""
    path = folder / f"{cell.name}-n{size}-s{seed}.npz"
    if not path.exists():
        taken = simulate(cell.phantom, (size, size, size), cell.acquisition(), seed)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            kept = ("images", "angles", "truth", "dx", "dy", "phi")
            np.savez(file, **{name: getattr(taken, name) for name in kept})
        unfinished.replace(path)
    return path


def load(path: Path) -> Case:
    """What `take` wrote."""
    with np.load(path) as kept:
        series = TiltSeries(kept["images"], kept["angles"], source=path.stem)
        return Case(series, *(kept[name] for name in ("truth", "dx", "dy", "phi")))
