"""ASTRA's 2-D algorithms on the CPU, one slice after another on the same bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import astra
import numpy as np
from numpy.typing import NDArray

from tomoinr.geometry import Grid, Views
from tomoinr.slicewise import Slicewise, slicewise

Algorithm = Literal["FP", "BP", "SIRT"]
Kernel = Literal["linear", "strip", "line"]


class Bench(NamedTuple):
    """Fill one array, run, read the other: ASTRA works in them, without a copy."""

    slice: NDArray[np.float32]  # (z, x), density per Å
    sinogram: NDArray[np.float32]  # (views, columns), density × Å
    run: Callable[[int], None]


@contextmanager
def bench(
    algorithm: Algorithm, views: Views, grid: Grid, kernel: Kernel, **option: float
) -> Iterator[Bench]:
    """An ASTRA algorithm set up for any slice of the grid; its objects are freed at the end."""
    flat = slicewise(views, grid, "ASTRA on the CPU")
    detector = _detector_geometry(flat, views.shape[2], grid.spacing)
    box = _volume_geometry(grid)
    slice_ = np.zeros(grid.shape[1:], np.float32)
    sinogram = np.zeros((views.shape[0], views.shape[2]), np.float32)
    with ExitStack() as objects:

        def keep(module: Any, number: int) -> int:
            objects.callback(module.delete, number)
            return number

        projector = keep(astra.projector, astra.create_projector(kernel, detector, box))
        config = {
            "type": algorithm,
            "ProjectorId": projector,
            "ProjectionDataId": keep(astra.data2d, astra.data2d.link("-sino", detector, sinogram)),
            "VolumeDataId" if algorithm == "FP" else "ReconstructionDataId": keep(
                astra.data2d, astra.data2d.link("-vol", box, slice_)
            ),
        }
        number = keep(
            astra.algorithm, astra.algorithm.create(config | ({"option": option} if option else {}))
        )
        yield Bench(slice_, sinogram, lambda count: astra.algorithm.run(number, count))


def _volume_geometry(grid: Grid) -> dict[str, Any]:
    """One slice [z, x], in Å, centred on zero. ASTRA's rows go down from +y, so its y is our -z."""
    width, _, depth = (edge / 2 for edge in grid.extent)
    shape = grid.shape[1:]
    geometry: dict[str, Any] = astra.create_vol_geom(*shape, -width, width, -depth, depth)
    return geometry


def _detector_geometry(flat: Slicewise, columns: int, pixel: float) -> dict[str, Any]:
    """Each view's ray, detector centre and step, as `parallel_vec` wants them."""
    tilt, middle = (values.double().cpu().numpy()[:, None] for values in flat)
    sin, cos = np.sin(tilt), np.cos(tilt)
    step = pixel * np.hstack((cos, sin))
    vectors = np.hstack((sin, -cos, -middle * step, step))
    geometry: dict[str, Any] = astra.create_proj_geom("parallel_vec", columns, vectors)
    return geometry
