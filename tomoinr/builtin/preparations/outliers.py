"""Hot and dead pixels, and what cosmic rays leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

from tomoinr.builtin.preparations.images import each
from tomoinr.data import TiltSeries
from tomoinr.interfaces import Preparation
from tomoinr.options import option

MAD = 1.4826  # times the median deviation is the standard deviation of normal numbers


class Outliers(Preparation):
    """Lone pixels that stand out, hot or dead, become the median of the 3 × 3 around them."""

    name = "outliers"
    apart = True

    @dataclass(frozen=True)
    class Options:
        """Options of outlier removal."""

        threshold: float = option(
            5.0,
            "how many times farther from the median around it than the image's pixels usually are, "
            "and than all but one of its neighbours",
            low=1,
        )

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every image, by its own standards."""
        return each(series, lambda image, _: mended(image, self.options.threshold))


def mended(image: Tensor, threshold: float) -> Tensor:
    """An image (rows, columns) without its lone outliers."""
    values = image.numpy()
    usual = median_filter(values, size=3, mode="mirror")
    off = np.abs(values - usual)
    rows, columns = np.nonzero(off > threshold * _spread(off))
    around = np.pad(values, 1, mode="reflect" if min(values.shape) > 1 else "edge")
    window = np.lib.stride_tricks.sliding_window_view(around, (3, 3))[rows, columns]
    middle = usual[rows, columns]
    away = np.abs(window.reshape(-1, 9) - middle[:, None])
    third = np.partition(away, -3, axis=1)[:, -3]  # after the pixel itself and one neighbour
    lone = off[rows, columns] > threshold * third
    out = values.copy()
    out[rows[lone], columns[lone]] = middle[lone]
    return torch.from_numpy(out)


def _spread(off: np.ndarray) -> float:
    """The usual standard deviation of those that deviate; where few do, they are counts."""
    deviating = off[off > 0]
    return MAD * float(np.median(deviating)) if deviating.size else 0.0
