"""Pictures: volumes side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np

PLANES = (("from above: x–y", 1), ("along the tilt axis: x–z", 0), ("from the side: z–y", 2))


def compare(volumes: Mapping[str, np.ndarray], path: Path, captions: Mapping[str, str]) -> None:
    """Slices of [y, z, x] volumes, a column each, at the first one's grey levels.

    Of each plane the slice in which the first volume varies most: the same one of all.
    """
    first = next(iter(volumes.values()))
    low, high = np.percentile(first, (0.5, 99.8))
    index = [richest(first, axis) for _, axis in PLANES]
    size = (3.0 * len(volumes) + 0.4, 3.1 * len(PLANES))
    figure, axes = plt.subplots(len(PLANES), len(volumes), figsize=size, squeeze=False)
    for column, (name, volume) in enumerate(volumes.items()):
        for row, (plane, axis) in enumerate(PLANES):
            ax = axes[row][column]
            ax.imshow(
                np.take(volume, index[row], axis),
                cmap="gray",
                vmin=low,
                vmax=high,
                origin="lower",
            )
            ax.set_xticks([])
            ax.set_yticks([])
            if column == 0:
                ax.set_ylabel(plane)
        axes[0][column].set_title(f"{name}\n{captions.get(name, '')}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def richest(volume: np.ndarray, axis: int) -> int:
    """The slice across an axis that varies most."""
    others = tuple(a for a in range(3) if a != axis)
    return int(volume.var(axis=others).argmax())
