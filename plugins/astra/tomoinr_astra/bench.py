"""ASTRA's 2-D algorithms on the CPU, one slice after another on the same bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple, TypeVar

import astra
import numpy as np
import torch
from numpy.typing import NDArray

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Views
from tomoinr.slicewise import TOLERANCE, Slicewise, slicewise

Algorithm = Literal["FP", "BP", "SIRT", "SART", "CGLS", "FBP"]
Kernel = Literal["linear", "strip", "line"]
Job = TypeVar("Job")


class Bench(NamedTuple):
    """Fill one array, run, read the other: ASTRA works in them, without a copy."""

    slice: NDArray[np.float32]  # (z, x), density per Å
    sinogram: NDArray[np.float32]  # (views, columns), density × Å
    run: Callable[[int], None]


@contextmanager
def bench(
    algorithm: Algorithm, views: Views, grid: Grid, kernel: Kernel, option: Mapping[str, Any] = {}
) -> Iterator[Bench]:
    """An ASTRA algorithm set up for any slice of the grid; its objects are freed at the end."""
    flat = slicewise(views, grid, "ASTRA on the CPU")
    geometry = _plain_detector if algorithm == "FBP" else _detector
    detector, box = geometry(flat, views.shape[2], grid.spacing), _volume_geometry(grid)
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
            "option": dict(option),
        }
        yield Bench(slice_, sinogram, lambda count: _run(config, count))


def _run(config: Mapping[str, Any], count: int) -> None:
    """Anew for every slice: CGLS and SART would remember the one before."""
    number = astra.algorithm.create(config)
    try:
        astra.algorithm.run(number, count)
    finally:
        astra.algorithm.delete(number)


def share_out(jobs: Sequence[Job], work: Callable[[Sequence[Job]], None]) -> None:
    """Do all jobs, on as many threads as torch uses: ASTRA lets go of Python while it computes."""
    threads = max(1, min(torch.get_num_threads(), len(jobs)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, (jobs[i::threads] for i in range(threads))))


def _volume_geometry(grid: Grid) -> dict[str, Any]:
    """One slice [z, x], in Å, centred on zero. ASTRA's rows go down from +y, so its y is our -z."""
    width, _, depth = (edge / 2 for edge in grid.extent)
    shape = grid.shape[1:]
    geometry: dict[str, Any] = astra.create_vol_geom(*shape, -width, width, -depth, depth)
    return geometry


def _detector(flat: Slicewise, columns: int, pixel: float) -> dict[str, Any]:
    """Each view's ray, detector centre and step, as `parallel_vec` wants them."""
    tilt, middle = (values.double().cpu().numpy()[:, None] for values in flat)
    sin, cos = np.sin(tilt), np.cos(tilt)
    step = pixel * np.hstack((cos, sin))
    vectors = np.hstack((sin, -cos, -middle * step, step))
    geometry: dict[str, Any] = astra.create_proj_geom("parallel_vec", columns, vectors)
    return geometry


def _plain_detector(flat: Slicewise, columns: int, pixel: float) -> dict[str, Any]:
    """Tilts alone, which is all that ASTRA's FBP takes on the CPU."""
    if float(flat.middle.abs().max()) > TOLERANCE:
        view = int(flat.middle.abs().argmax())
        raise TomoinrError(
            f"ASTRA's FBP knows no shifts, but view {view} is moved by {flat.middle[view]:.3g} "
            "pixels; move the images first, or use the solver 'fbp' with the projector 'slices'"
        )
    tilts = flat.tilt.double().cpu().numpy()
    geometry: dict[str, Any] = astra.create_proj_geom("parallel", pixel, columns, tilts)
    return geometry
