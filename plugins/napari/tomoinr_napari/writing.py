"""Layers as files."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses
from tomoinr.io import save
from tomoinr_napari.reading import OURS


def write_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """A tilt series that was read by tomoinr, with its angles beside it, or a volume."""
    values = np.asarray(data)
    known = meta.get("metadata", {}).get(OURS)
    if isinstance(known, TiltSeries) and known.shape == values.shape:
        save(path, known, force=True)
        return [path]
    save(path, _volume(values, float(meta.get("scale", (1.0,))[-1])), force=True)
    return [path]


def _volume(voxels: np.ndarray, spacing: float) -> Reconstruction:
    """Voxels [y, z, x], and a series that stands for the one nobody knows."""
    if voxels.ndim != 3:
        raise TomoinrError(f"a volume has three axes, this layer has {voxels.ndim}")
    series = TiltSeries(torch.zeros(2, 1, 1), torch.arange(2), spacing, source="a layer of napari")
    rows, deep, wide = voxels.shape
    grid, poses = Grid((rows, deep, wide), spacing), Poses.of(series.angles)
    return Reconstruction(voxels.astype(np.float32, copy=False), grid, poses, (), series)
