"""Between quantEM's Dataset3d, in memory, and our values.

A dataset has no place of its own for tilt angles: they are in its metadata as `tilt_angles`
(degrees), or its first axis is in degrees. See `frames` for the axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr_quantem.calibration import Calibration
from tomoinr_quantem.frames import our_images, their_images, turned_volume
from tomoinr_quantem.library import part


def series_of(dataset: Any, angles: Any = None, pixel_size: float | None = None) -> TiltSeries:
    """A series from a Dataset3d, or an array as quantEM takes it [tilt, row, column].

    `angles` in degrees, as quantEM is given them; none: the dataset's own. `pixel_size` in Å.
    """
    images = _array(dataset)
    if images.ndim != 3:
        raise TomoinrError(f"a tilt series has three axes, this dataset has {images.ndim}")
    told = _told(dataset)
    angles = told.angles(len(images)) if angles is None else angles
    if angles is None:
        raise TomoinrError(
            "the dataset holds no tilt angles; give them: series_of(dataset, angles)"
        )
    size = told.pixel_size("the dataset", pixel_size)
    turned: Any = np.ascontiguousarray(our_images(images))
    return TiltSeries(
        turned,
        angles,
        1.0 if size is None else size,
        source=told.name or "the dataset",
        tilt_axis=told.tilt_axis,
    )


def volume_of(result: Any) -> np.ndarray:
    """[y, z, x] from what quantEM made (its tomography or object), a Dataset3d or an array.

    Values are as they were: quantEM's own are in units of its normalised images.
    """
    found = getattr(result, "obj_model", result)
    voxels = found.obj_view if hasattr(found, "obj_view") else _array(found)
    voxels = voxels[0] if voxels.ndim == 4 and len(voxels) == 1 else voxels
    if voxels.ndim != 3:
        raise TomoinrError(f"a volume has three axes, this has {voxels.ndim}")
    return np.ascontiguousarray(turned_volume(voxels))


def dataset_of(value: TiltSeries | Reconstruction, channel: int = 0) -> Any:
    """A Dataset3d of the images, as quantEM takes them, or of the voxels, as it shows its own."""
    if isinstance(value, TiltSeries):
        return _of_series(value, channel)
    voxels = value.voxels if value.voxels.ndim == 3 else value.voxels[channel]
    size = value.grid.spacing
    return _made(turned_volume(voxels), "reconstruction by tomoinr", (size,) * 3, ("A",) * 3)


def _of_series(series: TiltSeries, channel: int) -> Any:
    size = series.pixel_size
    images = their_images(series.images[channel].cpu().numpy())
    made = _made(images, series.source, (1, size, size), ("index", "A", "A"))
    made.metadata["tilt_angles"] = series.angles.cpu().numpy()
    if series.tilt_axis:
        made.metadata["tilt_axis"] = float(series.tilt_axis)
    return made


def _made(array: np.ndarray, name: str, sampling: tuple[float, ...], units: tuple[str, ...]) -> Any:
    # A copy: quantEM makes tensors of it, which know no reversed axes.
    cls = part("core.datastructures.dataset3d", "Dataset3d")
    return cls.from_array(array.copy(), name=name, sampling=sampling, units=list(units))


def _array(dataset: Any) -> np.ndarray:
    """The values, of NumPy or torch."""
    numbers = getattr(dataset, "numpy", None)
    return np.asarray(numbers() if callable(numbers) else dataset)


def _told(dataset: Any) -> Calibration:
    """What a dataset says of itself; an array says nothing."""
    if not hasattr(dataset, "sampling"):
        return Calibration()
    metadata: Mapping[str, Any] = dataset.metadata
    return Calibration(
        dataset.name,
        tuple(map(float, dataset.origin)),
        tuple(map(float, dataset.sampling)),
        tuple(dataset.units),
        metadata.get("tilt_angles"),
        float(metadata.get("tilt_axis", 0.0)),
    )
