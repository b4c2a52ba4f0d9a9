"""What is suspicious about poses: each check yields plain sentences, or none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tomoinr.data import Reconstruction
from tomoinr.trust.robust import above_neighbours, listed, mad

FAR = 5.0  # robust standard deviations
LEAST = {"px": 0.5, "°": 0.25}  # spreads below that are alignment as it should be
LIMIT = 0.25  # of the image's width or height
CORRELATED, STRETCH = 0.8, 0.5  # correlation with the tilt; degrees over the whole range


def corrections(result: Reconstruction) -> dict[str, tuple[np.ndarray, str]]:
    """What alignment found for each image, and its unit: pixels or degrees."""
    found = result.poses.angles()
    dx, dy, rotation, tilt = (
        np.asarray(v, float) for v in (found.dx, found.dy, found[1], found[0])
    )
    size, recorded = result.series.pixel_size, result.series.angles.cpu().numpy()
    return {
        "shift along x": (dx / size, "px"),
        "shift along y": (dy / size, "px"),
        "in-plane rotation": (_wrapped(rotation), "°"),
        "tilt correction": (_wrapped(tilt - recorded), "°"),
    }


def odd_poses(result: Reconstruction) -> Iterator[str]:
    """Images that were moved or turned unlike their neighbours."""
    angles = result.series.angles.cpu().numpy()
    for name, (values, unit) in corrections(result).items():
        above = above_neighbours(values, angles)
        odd = np.flatnonzero(np.abs(above) > FAR * max(mad(above), LEAST[unit]))
        if len(odd):
            yield (
                f"Odd poses: the {name} of {listed(odd, result.series.sections, angles)} differs "
                f"from its neighbours' by up to {np.abs(above[odd]).max():.2g} {unit}."
            )


def far_shifts(result: Reconstruction) -> Iterator[str]:
    """Images moved so far that a good part of what they show lies outside the box."""
    table, (_, rows, columns) = corrections(result), result.series.shape
    for name, size in (("shift along x", columns), ("shift along y", rows)):
        far = np.flatnonzero(np.abs(table[name][0]) > LIMIT * size)
        if len(far):
            angles = result.series.angles.cpu().numpy()
            yield (
                f"Poses at their limit: the {name} of {listed(far, result.series.sections, angles)}"
                f" is more than {LIMIT:.0%} of the image."
            )


def stretched_tilts(result: Reconstruction) -> Iterator[str]:
    """Tilt corrections in proportion to the tilt: the missing wedge pulls them that way."""
    correction, recorded = corrections(result)["tilt correction"][0], result.series.angles
    angles = recorded.cpu().numpy()
    slope = np.polyfit(angles, correction, 1)[0] * np.ptp(angles)
    if abs(slope) > STRETCH and abs(np.corrcoef(angles, correction)[0, 1]) > CORRELATED:
        yield (
            f"Tilt corrections grow with the tilt, by {slope:+.2g}° over the range: a known drift "
            "that data hardly oppose; keep the recorded angles unless you know better."
        )


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180) % 360 - 180
