"""ASTRA's 3-D projector on a GPU: volumes and images stay there, ASTRA works in torch's memory.

ASTRA ends the whole process where a 3-D call finds no GPU, so nothing here calls it before
`check` has passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import astra
import astra.experimental
import numpy as np
import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Views


def check() -> None:
    """Refuse to go on where ASTRA has no GPU to work on."""
    if not astra.use_cuda():
        raise TomoinrError(
            "the projector 'astra' with the device 'cuda' needs a GPU that ASTRA can use, and "
            "there is none; use the device 'cpu', or the projector 'slices' or 'quadrature'"
        )
    if not hasattr(astra.projector, "direct_FP"):  # older ones take no torch tensors
        raise TomoinrError(
            "the projector 'astra' with the device 'cuda' needs ASTRA 2.5 or newer, this is "
            f"{astra.__version__}"
        )


def forward(volume: Tensor, views: Views, grid: Grid) -> Tensor:
    """(y, z, x) → (views, rows, columns)."""
    rows = volume.new_zeros(_stack(views))
    with _projector(views, grid) as number:
        astra.experimental.direct_FP3D(number, volume.detach().contiguous(), rows)
    return rows.transpose(0, 1)


def back(images: Tensor, views: Views, grid: Grid) -> Tensor:
    """The transpose: (views, rows, columns) → (y, z, x)."""
    volume = images.new_zeros(grid.shape)
    with _projector(views, grid) as number:
        rows = images.detach().transpose(0, 1).contiguous()
        astra.experimental.direct_BP3D(number, volume, rows)
    return volume


def geometries(views: Views, grid: Grid) -> tuple[dict[str, Any], dict[str, Any]]:
    """ASTRA's volume and detector: its (x, y, z) are our (x, z, y), centred on the box."""
    width, height, depth = (edge / 2 for edge in grid.extent)
    slices, rows, columns = grid.shape
    window = (-width, width, -depth, depth, -height, height)
    box: dict[str, Any] = astra.create_vol_geom(rows, columns, slices, *window)
    centre = views.centre - views.centre.new_tensor(grid.centre)
    parts = (views.ray, centre, views.u, views.v)
    vectors = np.hstack([p.detach().double().cpu().numpy()[:, [0, 2, 1]] for p in parts])
    detector: dict[str, Any] = astra.create_proj_geom("parallel3d_vec", *views.shape[1:], vectors)
    return box, detector


@contextmanager
def _projector(views: Views, grid: Grid) -> Iterator[int]:
    check()
    box, detector = geometries(views, grid)
    number = astra.create_projector("cuda3d", detector, box)
    try:
        yield number
        torch.cuda.synchronize()  # ASTRA has a stream of its own
    finally:
        astra.projector3d.delete(number)


def _stack(views: Views) -> tuple[int, int, int]:
    """ASTRA's order of 3-D data: rows, views, columns."""
    return views.shape[1], views.shape[0], views.shape[2]
