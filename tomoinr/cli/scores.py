"""How volumes, and the poses found with them, differ from a reference."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.fsc import Fsc, fsc
from tomoinr.geometry import Poses
from tomoinr.io import read_poses
from tomoinr.io.angles import angles_beside, read_angles
from tomoinr.io.volumes import POSES, Filed, read_volume
from tomoinr.metrics import Score, score, unseen_removed
from tomoinr.plugins import Plugins
from tomoinr.trust.halves import crossing

LEVELS = (0.5, 0.143)  # correlations where a curve's resolution is read off, by custom
FACTS = "truth.json"  # beside a simulated truth: its poses
CLOSE = 1e-3  # relative: pixel sizes in files are rounded


class Placed(NamedTuple):
    """Where images stand: degrees, and shifts in pixels; by their number in the file."""

    sections: list[int]
    nominal: np.ndarray
    tilt: np.ndarray
    rotation: np.ndarray
    dx: np.ndarray
    dy: np.ndarray


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume [y, z, x] that takes part, and the poses that are known with it."""

    name: str
    voxels: np.ndarray
    spacing: float | None  # Å
    placed: Placed | None


class PoseDifference(NamedTuple):
    """Root-mean-square, less what moving or turning the volume explains: pixels and degrees."""

    dx: float
    dy: float
    rotation: float
    tilt: float


@dataclass(frozen=True, eq=False)
class Compared:
    """One volume against the reference."""

    volume: Volume
    score: Score
    curves: Fsc
    poses: PoseDifference | None

    def resolution(self, level: float) -> float:
        """Å (voxels where the size is unknown) where the measured curve falls below a level."""
        curves = self.curves
        return (self.volume.spacing or 1) / crossing(curves.frequency, curves.measured, level)

    def table(self) -> dict[str, Any]:
        """For programs; a number that there is not is none."""
        measured, wedge = self.curves.means()
        found: dict[str, Any] = {
            "name": self.volume.name,
            "ssim": self.score.ssim,
            "psnr": self.score.psnr,
            "fsc": {"measured": measured, "wedge": wedge},
            "resolution": {str(level): self.resolution(level) for level in LEVELS},
            "poses": self.poses and self.poses._asdict(),
            "curves": {name: curve.tolist() for name, curve in self.curves._asdict().items()},
        }
        return found


def read(path: Path, plugins: Plugins) -> Volume:
    """A volume, or a result's folder, with poses of the result or the simulation."""
    voxels, filed = read_volume(path, plugins)
    if not filed.is_volume and (filed.stack.angles or angles_beside(path)):
        raise TomoinrError(f"{path}: this is a tilt series; only volumes can be compared")
    return Volume(str(path), voxels, filed.stack.pixel_size, _placed(filed))


def compare(volume: Volume, reference: Volume, tilts: np.ndarray | None) -> Compared:
    """Score one volume, apart where tilts measured and in the wedge."""
    check_alike(volume, reference)
    return Compared(
        volume,
        score(volume.voxels, reference.voxels),
        fsc(volume.voxels, reference.voxels, tilts),
        _pose_difference(volume.placed, reference.placed),
    )


def check_alike(volume: Volume, reference: Volume) -> None:
    """Refuse volumes that are not on one lattice."""
    if volume.voxels.shape != reference.voxels.shape:
        one, other = (" × ".join(map(str, v.voxels.shape)) for v in (volume, reference))
        raise TomoinrError(
            f"{volume.name} has {one} voxels (y, z, x) and {reference.name} {other}: only volumes "
            "of one shape can be compared; reconstruct both with the same --depth and binning"
        )
    mine, its = volume.spacing, reference.spacing
    if mine and its and not math.isclose(mine, its, rel_tol=CLOSE):
        raise TomoinrError(
            f"{volume.name} has voxels of {mine:g} Å and {reference.name} of {its:g} Å: they show "
            "different regions; if one is mistaken: tomoinr convert --pixel-size"
        )


def tilts_of(given: str | None, volumes: list[Volume]) -> np.ndarray | None:
    """The tilts that measured: as given, else of the first result with poses."""
    if given is not None:
        return np.array(read_angles(given))
    return next((v.placed.nominal for v in volumes if v.placed), None)


def _placed(filed: Filed) -> Placed | None:
    """Poses beside a volume: those of its result, or those of the simulation it is the truth of."""
    folder = Path(filed.stack.source).parent
    if filed.folder and (filed.folder / POSES).is_file():
        return _of_result(filed.folder / POSES)
    if Path(filed.stack.source).stem == "truth" and (folder / FACTS).is_file():
        return _of_truth(folder / FACTS)
    return None


def _of_result(path: Path) -> Placed:
    """Poses as `read_poses` checks them, in pixels."""
    poses = read_poses(path)
    content = json.loads(path.read_text("utf-8"))
    size = float(content["pixel_size"])
    angles = Poses(poses.rotation, poses.shift / size).angles()
    sections = [int(tilt.get("section", i)) for i, tilt in enumerate(content["tilts"])]
    nominal = [
        float(tilt.get("angle", a)) for tilt, a in zip(content["tilts"], angles.tilt, strict=True)
    ]
    found = (angles.tilt, angles.rotation, angles.dx, angles.dy)
    return Placed(sections, np.array(nominal), *map(torch.Tensor.numpy, found))


def _of_truth(path: Path) -> Placed:
    """What was true of a simulated series."""
    with told_plainly(f"{path}: no poses can be read from it"):
        rows = json.loads(path.read_text("utf-8"))["poses"]
        names = ("angle", "tilt", "rotation", "dx", "dy")
        columns = [np.array([float(row[name]) for row in rows]) for name in names]
    return Placed(list(range(len(rows))), *columns)


def _pose_difference(one: Placed | None, other: Placed | None) -> PoseDifference | None:
    """Over the images that both know."""
    if one is None or other is None or one is other:
        return None
    both = sorted(set(one.sections) & set(other.sections))
    if len(both) < 2:
        return None
    first, second = (np.array([p.sections.index(s) for s in both]) for p in (one, other))
    gaps = {
        name: getattr(one, name)[first] - getattr(other, name)[second]
        for name in ("dx", "dy", "rotation", "tilt")
    }
    gaps["dx"], gaps["dy"] = unseen_removed(gaps["dx"], gaps["dy"], other.tilt[second])
    gaps["tilt"] = gaps["tilt"] - gaps["tilt"].mean()  # turning the volume about y does as much
    return PoseDifference(*(float(np.sqrt(np.square(gap).mean())) for gap in gaps.values()))
