"""From TomoPy's arrays to `tomoinr.reconstruct` and back."""

from __future__ import annotations

from math import isfinite

import numpy as np
import torch
from torch import Tensor

from tomoinr import TiltSeries, TomoinrError, reconstruct
from tomoinr_tomopy.placed import placed
from tomoinr_tomopy.request import Request
from tomoinr_tomopy.slabs import Array, Slab
from tomoinr_tomopy.warm import Warm

EMPTY = 1e-6  # what TomoPy fills a volume with that has no start


def solve(whole: Slab, theta: Array, request: Request) -> None:
    """Reconstruct all slices; only `recon` is written to."""
    series = TiltSeries(
        torch.from_numpy(np.ascontiguousarray(whole.tomo.swapaxes(0, 1))),
        torch.from_numpy(np.rad2deg(np.asarray(theta, np.float64))),
        source="what was given to tomopy.recon",
    )
    arguments = {**request.arguments, **placed(request, series, whole)}
    start = _start(whole.recon)
    if start is not None:
        arguments["solver"] = _warm(request, arguments.pop("steps"), start)
    result = reconstruct(series, plugins=request.plugins, **arguments)
    whole.recon[...] = result.voxels
    if request.found:
        request.found(result)


def _start(recon: Array) -> Tensor | None:
    """What `init_recon` holds, unless that is nothing."""
    lowest, highest = float(recon.min()), float(recon.max())
    if 0 <= lowest <= highest <= EMPTY:
        return None
    if not isfinite(lowest) or not isfinite(highest):
        raise TomoinrError("init_recon holds NaN or infinite values; leave it out, or repair it")
    return torch.from_numpy(recon)


def _warm(request: Request, steps: int | None, start: Tensor) -> Warm:
    """The solver asked for, or else the usual one, from a volume to start with."""
    more = {} if steps is None else {"steps": steps}
    return Warm(request.make("solver", request.solver(), **more), start)
