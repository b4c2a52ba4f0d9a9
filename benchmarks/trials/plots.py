"""Records → pictures."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from trials.report import Table, columns

MARKERS = "osD^v<>PX*phd8"


def draw(table: Table, folder: Path) -> None:
    """`ssim.png`: every cell by method; `time.png`: what the time buys."""
    methods = columns(table)
    colours = plt.get_cmap("tab20")
    style = {
        m: {"color": colours(i % 20), "marker": MARKERS[i % len(MARKERS)], "label": m}
        for i, m in enumerate(methods)
    }
    by_cell(table, style, folder / "ssim.png")
    by_time(table, style, folder / "time.png")


def by_cell(table: Table, style: dict[str, dict], path: Path) -> None:
    """A line a cell."""
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.35 * len(table)))
    for method, look in style.items():
        have = [(row[method].ssim, cell) for cell, row in table.items() if method in row]
        axes.plot(*zip(*have, strict=True), linestyle="", alpha=0.8, **look)
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel("SSIM")
    finish(figure, path)


def by_time(table: Table, style: dict[str, dict], path: Path) -> None:
    """A point a method, the mean over its cells; faint points, the cells."""
    figure, axes = plt.subplots(figsize=(9, 5))
    for method, look in style.items():
        have = [row[method] for row in table.values() if method in row]
        seconds, ssim = [r.seconds for r in have], [r.ssim for r in have]
        faint = look | {"label": None, "alpha": 0.25, "markersize": 4}
        axes.plot(seconds, ssim, linestyle="", **faint)
        axes.plot(fmean(seconds), fmean(ssim), linestyle="", markersize=9, **look)
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.set_xlabel("seconds")
    axes.set_ylabel("SSIM")
    finish(figure, path)


def finish(figure: Figure, path: Path) -> None:
    figure.axes[0].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)
