"""TomoPy's algorithms by name, with their options and what each is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, NamedTuple

import numpy as np

from tomoinr.data import TiltSeries
from tomoinr.options import option
from tomoinr_tomopy.gridrec import gridrec
from tomoinr_tomopy.recon import improve
from tomoinr_tomopy.square import in_a_square

Filter = Literal["shepp", "ramlak", "hann", "hamming", "cosine", "parzen", "none"]


@dataclass(frozen=True)
class Iterations:
    """Options of algorithms that only iterate."""

    steps: int = option(50, "iterations; more sharpen, and fit more of the noise", low=1)
    every: int = option(10, "iterations between two reports of the loss", low=1)


@dataclass(frozen=True)
class Blocks(Iterations):
    """Options of algorithms that take a part of the views at a time."""

    blocks: int = option(4, "parts that an iteration takes the views in, one by one", low=1)


@dataclass(frozen=True)
class Edges:
    """Options of TomoPy's total variation."""

    steps: int = option(200, "iterations", low=1)
    weight: float = option(
        0.03, "edges below about this density are flattened (1: typical)", low=1e-6
    )


@dataclass(frozen=True)
class Filtered:
    """Options of gridrec."""

    filter: Filter = option("shepp", "fades the ramp at high frequency")


def _blocks(options: Blocks, series: TiltSeries) -> dict[str, Any]:
    """Neighbouring views go to different blocks."""
    number = min(options.blocks, len(series.angles))
    order = [np.arange(first, len(series.angles), number) for first in range(number)]
    return {"num_block": np.int32(number), "ind_block": np.concatenate(order).astype(np.int32)}


def _edges(options: Edges, series: TiltSeries) -> dict[str, Any]:
    """TomoPy's voxels are √(columns × views / 2) times ours, our `tv` counts edges once a view."""
    views, _, columns = series.shape
    return {"reg_par": [options.weight * sqrt(2 * views / columns)], "num_iter": options.steps}


def _filtered(options: Filtered, series: TiltSeries) -> dict[str, Any]:
    return {"filter_name": options.filter}


class Method(NamedTuple):
    """An algorithm of `tomopy.recon`; what it keeps but the voxels makes it run `whole`."""

    algorithm: str
    Options: type
    arguments: Callable[[Any, TiltSeries], dict[str, Any]] = lambda options, series: {}
    counts: bool = False  # it takes no negative data
    even: bool = False  # depth and width must differ by an even number
    whole: bool = False
    call: Callable[..., None] = improve


METHODS = (
    Method("art", Iterations),
    Method("bart", Blocks, _blocks),
    Method("gridrec", Filtered, _filtered, whole=True, call=gridrec),
    Method("mlem", Iterations, counts=True),
    Method("osem", Blocks, _blocks, counts=True),
    Method("sirt", Iterations),
    Method("tv", Edges, _edges, even=True, whole=True, call=in_a_square),
)
