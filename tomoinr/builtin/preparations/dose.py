"""Detail fades as the specimen takes damage: images are filtered by the dose they had by then.

The critical dose, after which the signal at a frequency is down to 1/e, is the curve that Grant and
Grigorieff measured at 300 kV (eLife 4, e06980, 2015): 0.245 k^-1.665 + 2.81 electrons per Å², k in
1/Å; at 200 kV it is four fifths of that. An amplitude is multiplied by exp(-N / 2 Nc).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.fft import dctn, idctn
from torch import Tensor

from tomoinr.builtin.preparations.images import each, noted
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Preparation
from tomoinr.options import option

SCALE, POWER, LEAST = 0.24499, -1.6649, 2.8141
AT_VOLTAGE = {300: 1.0, 200: 0.8}
Order = Literal["file", "rising", "falling", "symmetric"]


class Dose(Preparation):
    """Fine detail weakened by the electrons that the specimen had taken by then."""

    name = "dose"

    @dataclass(frozen=True)
    class Options:
        """Options of dose weighting."""

        dose: float | tuple[float, ...] | None = option(
            None,
            "electrons per Å² for an image: one number, or one for each in order of acquisition; "
            "must be given",
            low=0,
        )
        order: Order | tuple[int, ...] | None = option(
            None,
            "of acquisition: as in the file, by rising or falling angle, symmetric (nearest to "
            "zero first, of two equals the positive), or a list of the images' numbers in the "
            "file; must be given",
        )
        before: float = option(0.0, "electrons per Å² before the first image", low=0)
        kilovolts: Literal[200, 300] = option(300, "of the microscope")

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """Every image filtered by the dose at its end."""
        if self.options.dose is None or self.options.order is None:
            raise TomoinrError("dose: give the dose of an image (dose) and their order (order)")
        if series.pixel_size == 1:
            raise TomoinrError(
                f"{series.source}: dose weighting needs the pixel size, and 1 Å stands for "
                "unknown; give it (--pixel-size; if it is 1 indeed, 1.0001)"
            )
        doses = taken(self.options, series)
        critical = critical_dose(series.shape[1:], series.pixel_size, self.options.kilovolts)
        note = f"weighted by doses of {min(doses):.4g} to {max(doses):.4g} electrons per Å²"
        return noted(each(series, lambda image, i: weakened(image, doses[i], critical)), note)


def taken(options: Dose.Options, series: TiltSeries) -> list[float]:
    """Electrons per Å² by the end of each image, in the series' order."""
    several = options.dose if isinstance(options.dose, tuple) else ()
    order = acquired(options.order, series, len(several))
    given = several or (options.dose,) * len(order)
    if len(given) != len(order):
        raise TomoinrError(
            f"{series.source}: {len(given)} doses for {len(order)} images; give one for each, "
            "those left out too, or one number"
        )
    total = options.before + np.cumsum(np.array(given, dtype=float))
    by_section = dict(zip(order, total.tolist(), strict=True))
    return [by_section[section] for section in series.sections]


def acquired(order: Order | tuple[int, ...] | None, series: TiltSeries, doses: int) -> list[int]:
    """Section numbers in order of acquisition, those of images left out included where known."""
    sections = series.sections
    if isinstance(order, tuple):
        if len(set(order)) != len(order) or not set(sections) <= set(order):
            raise TomoinrError(
                f"{series.source}: the order must name every image once, by its number in the file"
            )
        return list(order)
    if order == "file":
        return list(range(max(doses, max(sections) + 1)))
    if set(sections) != set(range(len(sections))):
        raise TomoinrError(
            f"{series.source}: images have been left out, and they took dose too; weight by dose "
            "before excluding, or give the order as a list of all images' numbers"
        )
    keys = {"rising": lambda t: t, "falling": lambda t: -t, "symmetric": lambda t: (abs(t), -t)}
    tilts = dict(zip(sections, series.angles.tolist(), strict=True))
    return sorted(sections, key=lambda section: keys[str(order)](tilts[section]))


def critical_dose(shape: tuple[int, ...], pixel_size: float, kilovolts: int) -> np.ndarray:
    """Electrons per Å² at each frequency of a cosine transform: (rows, columns)."""
    y, x = (np.arange(n) / (2 * n * pixel_size) for n in shape)
    k = np.hypot(y[:, None], x)
    k[0, 0] = np.inf  # in place of a division by zero
    critical = AT_VOLTAGE[kilovolts] * (SCALE * k**POWER + LEAST)
    critical[0, 0] = np.inf  # the mean is not damaged
    return critical.astype(np.float32)


def weakened(image: Tensor, dose: float, critical: np.ndarray) -> Tensor:
    """An image (rows, columns) after a dose; mirrored at its borders, so that these do not meet."""
    waves = dctn(image.numpy(), norm="ortho") * np.exp(-dose / (2 * critical))
    return torch.from_numpy(idctn(waves, norm="ortho")).to(image)
