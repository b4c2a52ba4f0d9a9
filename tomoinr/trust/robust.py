"""What stands out among values of neighbouring tilts, and how to name it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

NEIGHBOURS = 7  # tilts: what is normal may change along the series, but only slowly
NAMED = 5  # images in one sentence


def mad(values: np.ndarray) -> float:
    """A standard deviation that outliers do not move: from the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def above_neighbours(values: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Values less the median of those at neighbouring angles, in their own order."""
    order = np.argsort(angles, kind="stable")
    above = np.empty(len(values))
    usual = ndimage.median_filter(values[order], NEIGHBOURS, mode="nearest")
    above[order] = values[order] - usual
    return above


def listed(which: np.ndarray, sections: Sequence[int], angles: np.ndarray) -> str:
    """Images by the number of their section and their angle, in words."""
    names = [f"{sections[i]} ({angles[i]:.4g}°)" for i in which[:NAMED]]
    more = f" and {len(which) - NAMED} more" if len(which) > NAMED else ""
    return f"section{'s' if len(which) > 1 else ''} {', '.join(names)}{more}"
