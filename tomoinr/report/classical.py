"""SIRT of the same images with the poses found: what everybody knows, to compare with."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.preparations.bin import Bin
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem
from tomoinr.loop import run
from tomoinr.options import NoOptions
from tomoinr.report.lattice import coarser_grid
from tomoinr.trust.again import LEVEL, one_channel

STEPS = 30


def sirt(result: Reconstruction, factor: float) -> np.ndarray:
    """Voxels (channels, y, z, x) on the lattice that is shown, `factor` times coarser."""
    shape = coarser_grid(result.grid, factor).shape
    channels = [one_channel(result, number) for number in range(len(result.series.channels))]
    found = [_alone(one, factor * one.grid.shape[0] / result.grid.shape[0]) for one in channels]
    return np.stack([_on_lattice(voxels, shape) for voxels in found])


def _on_lattice(voxels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The same box [y, z, x] in that many voxels: a channel may be coarser than what is shown."""
    if voxels.shape == shape:
        return voxels
    scale = [new / old for new, old in zip(shape, voxels.shape, strict=True)]
    return np.asarray(ndimage.zoom(voxels, scale, order=1, mode="nearest", grid_mode=True))


def _alone(result: Reconstruction, factor: float) -> np.ndarray:
    """One channel: voxels [y, z, x] `factor` times coarser than its own, if that is coarser."""
    factor = max(1.0, factor)
    if bool((result.poses.rotation[:, 2, 1].abs() > LEVEL).any()):
        raise TomoinrError("the tilt axis leaves the detector plane, which takes SIRT long")
    series, grid = result.series, coarser_grid(result.grid, factor)
    if factor > 1:
        series = Bin(Bin.Options(factor)).prepare(series)
    poses = Poses(result.poses.rotation.float(), result.poses.shift.float())
    unit = float(series.images.abs().max()) or 1.0
    problem = Problem(
        series=series.scaled(1 / unit),
        grid=grid,
        volume=Voxels(Voxels.Options(), grid),
        poses=Fixed(NoOptions(), poses, grid),
        projector=Slices(Slices.Options(), grid),
        scale=unit,
    )
    positive = bool(result.voxels.min() >= 0)
    return run(problem, Sirt(Sirt.Options(steps=STEPS, positive=positive))).voxels
