"""What is wrong with the images themselves: each check yields plain sentences, or none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tomoinr.builtin.blur import contrasts
from tomoinr.builtin.noise import calibrate
from tomoinr.data import TiltSeries
from tomoinr.trust.robust import listed, mad

BLANK = 0.2  # of the usual contrast
CLIPPED, FEWEST = 1e-3, 8  # of the pixels; pixels
BELOW, PILED = 3, 2  # values just below the largest; times as many pixels as there
STRIP = 32  # a border is this part of the image wide
BRIGHT = 0.1  # of the mean brightness, at the borders where nothing should be
UNSTEADY = 0.05  # relative spread of the mass, beyond what noise explains
SIGMAS = 2.0  # of a noise that is rather taken too large


def blank(series: TiltSeries) -> Iterator[str]:
    """Images with hardly anything on them."""
    contrast = contrasts(series.images[0].cpu()).numpy()
    empty = np.flatnonzero(contrast <= BLANK * np.median(contrast))
    if len(empty):
        yield f"Blank: {_named(empty, series)}; leave out what shows nothing."


def saturated(series: TiltSeries) -> Iterator[str]:
    """Images in which many pixels share the largest value, and few come close to it."""
    images = series.images[0].cpu().numpy()
    full = np.array([i for i, image in enumerate(images) if _clipped(image)], dtype=int)
    if len(full):
        yield (
            f"Saturated: in {_named(full, series)} many pixels hold exactly the largest value; "
            "the specimen is denser there than it seems."
        )


def _clipped(image: np.ndarray) -> bool:
    upper = image[image > (image.min() + image.max()) / 2]
    values, counts = np.unique(upper, return_counts=True)
    if len(values) <= BELOW or counts[-1] < max(FEWEST, CLIPPED * image.size):
        return False
    return bool(counts[-1] > PILED * counts[-1 - BELOW : -1].sum())


def bright_borders(series: TiltSeries) -> Iterator[str]:
    """Something at the left and right borders, which tilting moves out of the box and into it."""
    images = series.images[0].cpu().numpy()
    width = max(1, images.shape[2] // STRIP)
    borders = np.concatenate((images[..., :width], images[..., -width:]), axis=2)
    part = abs(float(borders.mean())) / max(float(np.abs(images).mean()), 1e-30)
    if part > BRIGHT:
        yield (
            f"Mass outside the box: the left and right borders are {part:.0%} as bright as the "
            "mean; subtract a background, or expect streaks if the specimen goes on there."
        )


def unsteady_mass(series: TiltSeries) -> Iterator[str]:
    """A total brightness that changes with the tilt: no specimen's mass does."""
    images = series.images[0].cpu()
    mass = images.sum((1, 2)).double().numpy()
    usual = abs(float(np.median(mass))) or 1e-30
    pixels = images[0].numel()
    noise = (pixels * float(calibrate(images).variance(images).mean())) ** 0.5 / usual
    spread = mad(mass) / usual
    if spread > UNSTEADY + SIGMAS * noise:
        yield (
            f"The images' total brightness varies by {spread:.0%} from tilt to tilt: mass enters "
            "and leaves the field, or beam and detector were not steady."
        )


def few_tilts(series: TiltSeries, widest: float = 10.0, least: float = 90.0) -> Iterator[str]:
    """Degrees: a range that leaves most of the frequencies unseen, or holes in it."""
    angles = np.sort(series.angles.cpu().numpy())
    span, gap = float(np.ptp(angles)), float(np.diff(angles).max())
    if span < least:
        yield (
            f"The tilts span only {span:.4g}°: {max(0, 1 - span / 180):.0%} of all directions were "
            "not measured, and what the volume shows there is the prior's guess."
        )
    if gap > widest:
        yield (
            f"Too few tilts: neighbours are up to {gap:.4g}° apart; between them fine detail is "
            "the prior's guess."
        )


def _named(which: np.ndarray, series: TiltSeries) -> str:
    return listed(which, series.sections, series.angles.cpu().numpy())
