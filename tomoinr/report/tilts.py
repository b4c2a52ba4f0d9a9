"""The images beside what the volume says they should show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tomoinr.data import Reconstruction
from tomoinr.report.lattice import coarser, factor_for
from tomoinr.trust.again import moderate, one_channel, predicted

PIXELS = 500_000  # of all images of a kind together, that a report shows


@dataclass(frozen=True, eq=False)
class Tilts:
    """Images (channels, tilts, rows, columns), binned by `factor`; `left` is (channels, tilts).

    `left`: the residual's rms over the image's, at full size; `variance`: its square mean.
    """

    measured: np.ndarray
    residual: np.ndarray
    left: np.ndarray
    variance: np.ndarray
    factor: float


def compared(result: Reconstruction) -> Tilts:
    """Every channel projected with the poses found."""
    images = result.series.images
    factor = factor_for(images.numel(), PIXELS, 2)
    found = [_channel(result, number, factor) for number in range(len(images))]
    measured, residual, left, variance = map(np.stack, zip(*found, strict=True))
    return Tilts(measured, residual, left, variance, factor)


def spread(
    images: np.ndarray, sections: Sequence[int], everything: Sequence[int], size: tuple[int, int]
) -> np.ndarray:
    """Images (tilts, rows, columns) of some sections among all, zero where there is none.

    Coarser ones are shown in pixels as large as theirs.
    """
    out = np.zeros((len(everything), *size), images.dtype)
    rows, columns = (n // m for n, m in zip(size, images.shape[1:], strict=True))
    fine = images.repeat(rows, 1).repeat(columns, 2)[:, : size[0], : size[1]]
    places = [list(everything).index(section) for section in sections]
    out[places, : fine.shape[1], : fine.shape[2]] = fine
    return out


def _channel(result: Reconstruction, number: int, factor: float) -> tuple[np.ndarray, ...]:
    """Measured, residual, what is left of each image, and its mean square.

    Where a channel has no image, nothing is left and its variance is endless; the variance of a
    coarser channel is that of a full-size pixel which tells as little.
    """
    one, unit = moderate(one_channel(result, number))
    images = one.series.images[0].cpu()
    residual = images - predicted(one)
    power = residual.double().square().mean((1, 2))
    rms = images.double().square().mean((1, 2)).clamp(min=1e-30)
    sections, (_, *size) = result.series.sections, result.series.shape
    whole = (
        spread(part.numpy() / unit, one.series.sections, sections, (size[0], size[1]))
        for part in (images, residual)
    )
    small = (coarser(part, factor, (1, 2)) for part in whole)
    left, variance = np.full(len(sections), np.nan), np.full(len(sections), np.inf)
    places = [sections.index(section) for section in one.series.sections]
    left[places] = (power / rms).sqrt().numpy()
    coarseness = (size[0] * size[1]) / images[0].numel()
    variance[places] = (power / unit**2 * coarseness).numpy()
    return *small, left, variance
