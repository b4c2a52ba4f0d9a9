"""Pictures of what a file holds: in a window with sliders, or in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.widgets import RangeSlider, Slider

from tomoinr.cli.seen import Plane, Seen

GREY: dict[str, Any] = {"cmap": "gray", "origin": "lower", "interpolation": "nearest"}


def has_display(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a window can be shown."""
    return sys.platform in ("win32", "darwin") or bool(
        environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    )


def picture(seen: Seen, path: Path) -> None:
    """Write one: three slices of a volume, some images of a stack."""
    shown = [(plane, i) for plane in seen.planes for i in plane.several]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(4 * columns, 4.3 * rows),
        squeeze=False,
        layout="constrained",
    )
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, (plane, i) in zip(grid.flat, shown, strict=False):
        ax.imshow(plane.at(i), vmin=seen.low, vmax=seen.high, **GREY)
        where = plane.name(i)
        ax.set_title(f"{plane.title}, {where}" if len(seen.planes) > 1 else where, fontsize=9)
    figure.suptitle(seen.title, fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def window(seen: Seen) -> tuple[Figure, list[Slider | RangeSlider]]:
    """A figure with a slider below each plane, and one for black and white."""
    count = len(seen.planes)
    figure, axes = plt.subplots(1, count, figsize=(5 * count, 6), squeeze=False)
    figure.subplots_adjust(bottom=0.22, top=0.9, left=0.04, right=0.96)
    figure.suptitle(seen.title, fontsize=10)
    sliders: list[Slider | RangeSlider] = []
    shown = []
    for ax, plane in zip(axes[0], seen.planes, strict=True):
        image, slider = _slid(figure, ax, plane, seen)
        shown.append(image)
        sliders.append(slider)
    below = figure.add_axes((0.2, 0.04, 0.6, 0.03))
    span = seen.high - seen.low
    greys = RangeSlider(
        below, "grey", seen.low - span / 2, seen.high + span / 2, valinit=(seen.low, seen.high)
    )

    def shade(levels: tuple[float, float]) -> None:
        for image in shown:
            image.set_clim(*levels)
        figure.canvas.draw_idle()

    greys.on_changed(shade)
    return figure, [*sliders, greys]


def _slid(figure: Figure, ax: Axes, plane: Plane, seen: Seen) -> tuple[AxesImage, Slider]:
    """One plane and its slider; the mouse's wheel moves it too."""
    image = ax.imshow(plane.at(plane.first), vmin=seen.low, vmax=seen.high, **GREY)
    ax.set_xticks([])
    ax.set_yticks([])
    box = ax.get_position()
    last = max(1, plane.count - 1)
    below = figure.add_axes((box.x0, 0.12, box.width, 0.03))
    slider = Slider(below, "", 0, last, valinit=plane.first, valstep=1)
    slider.valtext.set_visible(False)

    def show(at: float) -> None:
        index = min(int(at), plane.count - 1)
        image.set_data(plane.at(index))
        ax.set_title(f"{plane.title}, {plane.name(index)}", fontsize=9)
        figure.canvas.draw_idle()

    def wheel(event: object) -> None:
        if getattr(event, "inaxes", None) is ax:
            step = 1 if getattr(event, "button", "") == "up" else -1
            slider.set_val(min(last, max(0, slider.val + step)))

    slider.on_changed(show)
    figure.canvas.mpl_connect("scroll_event", wheel)
    show(plane.first)
    return image, slider
