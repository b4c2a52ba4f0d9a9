"""Where the volume and the rotation axis are, as TomoPy says it and as `reconstruct` takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tomoinr import Ability, Grid, Poses, TiltSeries, TomoinrError
from tomoinr_tomopy.request import Request
from tomoinr_tomopy.rows import row_centres
from tomoinr_tomopy.slabs import Slab

SAME = 1e-4  # pixels between centres that count as one


def placed(request: Request, series: TiltSeries, whole: Slab) -> dict[str, Any]:
    """The lattice; and shifts of the views, where the axis is not in the images' middle."""
    views, _, columns = series.shape
    grid = Grid(whole.recon.shape)
    away = np.asarray(whole.center, np.float64) - columns / 2
    if not np.isfinite(away).all():
        raise TomoinrError("center must be finite numbers: the columns of the rotation axis")
    found: dict[str, Any] = {"depth": grid.shape[1]}
    if grid.shape[2] != columns:
        found["volume"] = request.make("volume", "voxels", grid, 1)
    if np.abs(away).max() > SAME:
        shift = torch.tensor([[away.mean(), 0.0]], dtype=torch.float64).expand(views, 2)
        found["start"] = Poses.of(series.angles, shift=shift)
        found |= _projector(request, grid, away - away.mean())
    return found


def _projector(request: Request, grid: Grid, away: NDArray[np.float64]) -> dict[str, Any]:
    """The slice projector, unless another is asked for: its sharpest interpolation."""
    given, solver = request.name("projector"), request.plugins.find("solver", request.solver()).cls
    name = given or next(iter(solver.partners.get("projector", ())), None)
    sharp = {} if given else {"warp": "bicubic"}
    if np.abs(away).max() <= SAME:
        return {} if given or name != "slices" else {"projector": {"name": name, **sharp}}
    # Other solvers have projectors of their own, which know one centre.
    looks = {Ability.LINEAR, Ability.POSES} & (solver.needs | solver.abilities)
    if name != "slices" or not looks:
        raise TomoinrError(
            "a center for each slice needs the projector 'slices' and a solver that works with "
            f"it, as sirt, tv and auto do; this is '{solver.name}' with '{name}'"
        )
    return {"projector": row_centres(request.make("projector", name, grid, **sharp), away)}
