"""One call of `tomopy.recon`, in our order, units and handedness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem
from tomoinr.slicewise import TOLERANCE, slicewise
from tomoinr_tomopy.library import load


class Axis(NamedTuple):
    """What TomoPy must know of the views."""

    theta: NDArray[np.float32]  # radians
    centre: float  # where all views see the box's centre, in pixels from the detector's edge


def axis(problem: Problem, who: str) -> Axis:
    """The tilts, and the one centre that TomoPy allows; other views are refused."""
    flat = slicewise(problem.views(), problem.grid, who)
    middle = float(flat.middle.double().mean())
    away = (flat.middle - middle).abs()
    if float(away.max()) > TOLERANCE:
        view = int(away.argmax())
        raise TomoinrError(
            f"{who} knows one centre for all views, but view {view} is moved by "
            f"{flat.middle[view] - middle:.3g} pixels against the mean; move the images first, or "
            "use the solver 'sirt' with the projector 'slices'"
        )
    return Axis(flat.tilt.cpu().numpy().astype(np.float32), problem.series.shape[2] / 2 + middle)


def improve(
    algorithm: str,
    images: Tensor,
    voxels: Tensor,
    axis: Axis,
    pixel: float,
    arguments: Mapping[str, Any],
) -> None:
    """One call for images [view, row, column] on voxels [row, z, x], in place."""
    # TomoPy's voxels are one unit long: dividing the images by the length keeps densities per Å.
    sinograms = np.divide(images.transpose(0, 1).cpu().numpy(), np.float32(pixel), order="C")
    found = load().recon(
        sinograms,
        axis.theta,
        center=axis.centre,
        sinogram_order=True,
        algorithm=algorithm,
        init_recon=voxels.cpu().numpy(),
        num_gridx=voxels.shape[1],
        num_gridy=voxels.shape[2],
        ncore=torch.get_num_threads(),
        **arguments,
    )
    voxels.copy_(torch.from_numpy(found))
