"""Draw docs/conventions.svg: axes, the sign of the tilt, the detector.

Run `python docs/draw_conventions.py` after a change to `tomoinr/geometry.py`: where things land is
computed by it, so the picture cannot say anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from tomoinr.geometry import Poses, positions

INK, FADED, HOT, COLD = "#222222", "#9a9a9a", "#c8401e", "#1f5fa8"
TILT, PHI = 30.0, 20.0  # degrees
PIXEL = 0.5
BOX = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])

Point = Any  # two numbers


def main() -> None:
    """Three panels, side by side."""
    plt.rcParams.update({"font.size": 11, "svg.hashsalt": "tomoinr"})
    figure, panels = plt.subplots(1, 3, figsize=(13.2, 4.6))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.02)
    for panel, draw in zip(panels, (specimen, tilt, detector), strict=True):
        panel.set(aspect="equal", xlim=(-2.8, 2.8), ylim=(-2.7, 2.8))
        panel.axis("off")
        draw(panel)
    target = sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).with_name("conventions.svg"))
    figure.savefig(target, metadata={"Date": None} if target.endswith(".svg") else None)


def specimen(ax: Axes) -> None:
    """The box at zero tilt, seen from the side of -y and +z."""
    title(ax, "the specimen at zero tilt", "volumes are [y, z, x], right-handed")
    for corner in np.ndindex(2, 2, 2):
        start = 2.0 * np.array(corner) - 1
        for axis in np.flatnonzero(start < 0):
            line(ax, flat(start), flat(start + 2 * np.eye(3)[axis]), FADED)
    for axis, (name, colour) in enumerate((("x", INK), ("y, tilt axis", HOT), ("z, beam", COLD))):
        tip = flat(1.9 * np.eye(3)[axis])
        arrow(ax, (0, 0), tip, colour)
        write(ax, 1.06 * tip + (0.06, 0), name, colour, ha="left")


def flat(point: np.ndarray) -> np.ndarray:
    """(x, y, z) → the paper."""
    x, y, z = point
    return np.array([0.88 * x + 0.44 * y, -0.22 * x + 0.36 * y + 0.88 * z])


def tilt(ax: Axes) -> None:
    """A slice y = const, in the laboratory's frame: the specimen turns, the beam does not."""
    title(
        ax, f"tilted by θ = +{TILT:.0f}°, seen along y", "the point lands at u = x cos θ − z sin θ"
    )
    pose = Poses.of(torch.tensor([TILT], dtype=torch.float64))
    turn = pose.rotation[0, ::2, ::2].numpy()  # of (x, z)
    for frame, colour, style in ((np.eye(2), FADED, "--"), (turn, INK, "-")):
        ax.plot(*(frame @ BOX.T), color=colour, ls=style, lw=1)
        axes(ax, frame, (0, 0), 1.35, "xz", colour)
    point = turn @ (0.7, -0.55)
    line(ax, (point[0], -1.4), (point[0], 1.85), HOT, ":")
    ax.plot(*point, "o", color=HOT, ms=7)
    write(ax, np.add(point, (0.12, -0.16)), "(x, y, z)", HOT, ha="left")
    arrow(ax, (-2.0, -0.8), (-2.0, 0.8), COLD)
    write(ax, (-2.15, 0), "beam", COLD, rotation=90)
    arrow(ax, (-1.9, 1.85), (2.1, 1.85), INK)
    line(ax, (0, 1.79), (0, 1.91), INK)
    for at, label, colour in ((0, "0", INK), (point[0], "u", HOT), (2.45, "image", INK)):
        write(ax, (at, 2.03 if at < 2 else 1.85), label, colour)
    arc(ax, (0, 0), 1.12, TILT, "θ")


def detector(ax: Axes) -> None:
    """An image: where its pixels sit, and how its content is turned and then moved."""
    title(
        ax,
        "the image, turned by φ, then moved by (dx, dy)",
        "index i of n sits at (i − (n − 1)/2) · spacing",
    )
    x, y = (positions(n, PIXEL).numpy() for n in (8, 7))
    left, right, low, high = (
        x[0] - PIXEL / 2,
        x[-1] + PIXEL / 2,
        y[0] - PIXEL / 2,
        y[-1] + PIXEL / 2,
    )
    for edge in np.append(x - PIXEL / 2, right):
        line(ax, (edge, low), (edge, high), "#dddddd")
    for edge in np.append(y - PIXEL / 2, high):
        line(ax, (left, edge), (right, edge), "#dddddd")
    for index, at in enumerate(x):
        write(ax, (at, low - 0.15), str(index), FADED, fontsize=9)
    for index, at in enumerate(y):
        write(ax, (left - 0.15, at), str(index), FADED, fontsize=9)
    write(ax, (0, low - 0.42), "column, along x", FADED)
    write(ax, (left - 0.45, 0), "row, along y", FADED, rotation=90)
    pose = Poses.of(torch.zeros(1), PHI, shift=torch.tensor([[0.75, 0.35]]))
    turn, shift = pose.rotation[0, :2, :2].numpy(), pose.shift[0].numpy()
    axes(ax, np.eye(2), (0, 0), 1.0, "xy", FADED)
    axes(ax, turn, shift, 1.0, "xy", HOT)
    arrow(ax, (0, 0), shift, COLD)
    write(ax, shift / 2 + (-0.1, 0.17), "(dx, dy)", COLD, ha="right")
    line(ax, shift, np.add(shift, (1.0, 0)), HOT, ":")
    arc(ax, shift, 0.75, PHI, "φ")


def title(ax: Axes, above: str, below: str) -> None:
    """What a panel shows, and its formula."""
    write(ax, (0, 2.6), above, INK, fontsize=13)
    write(ax, (0, -2.45), below, INK)


def axes(ax: Axes, frame: np.ndarray, origin: Point, length: float, names: str, ink: str) -> None:
    """Two axes (the frame's columns), named."""
    for name, way in zip(names, frame.T, strict=True):
        arrow(ax, origin, origin + length * way, ink)
        write(ax, origin + (length + 0.17) * way, name, ink)


def arc(ax: Axes, centre: Point, radius: float, degrees: float, name: str) -> None:
    """An angle, counted from the first axis."""
    angle = np.deg2rad(np.linspace(0, degrees, 30))[:, None]
    points = np.array(centre) + radius * np.hstack((np.cos(angle), np.sin(angle)))
    ax.plot(*points.T, color=HOT, lw=1)
    write(ax, points[len(points) // 2] + (0.14, 0.05), name, HOT)


def line(ax: Axes, start: Point, end: Point, ink: str, style: str = "-") -> None:
    """From one point to another."""
    ax.plot(*np.transpose([start, end]), color=ink, ls=style, lw=1, zorder=1)


def arrow(ax: Axes, start: Point, end: Point, ink: str) -> None:
    """From one point to another, with a head."""
    style = {"arrowstyle": "-|>", "color": ink, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops=style)


def write(ax: Axes, at: Point, text: str, ink: str, **style: Any) -> None:
    """Text in the middle of a point, unless told otherwise."""
    ax.text(*at, text, **{"color": ink, "ha": "center", "va": "center"} | style)


if __name__ == "__main__":
    main()
