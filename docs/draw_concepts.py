"""Draw docs/assets/wedge.svg, poses.svg and noise.svg: what limits a reconstruction.

Run `python docs/draw_concepts.py [FOLDER]`; half a minute. Everything shown is computed: series by
`tomoinr.builtin.simulate`, volumes by `tomoinr.reconstruct`, frequencies by `tomoinr.fsc`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import tomoinr
from tomoinr.builtin.simulate import Acquisition, Simulated, simulate
from tomoinr.fsc import regions
from tomoinr.metrics import score, unseen_removed

INK, HOT, COLD, FADED = "#222222", "#c8401e", "#1f5fa8", "#9a9a9a"
SIZE = 40
TILTS = tuple(range(-60, 61, 3))
ITERATIONS = (1, 2, 4, 7, 12, 20, 35, 60, 100, 180, 320)
STYLE = {"font.size": 10, "svg.hashsalt": "tomoinr", "axes.spines.top": False}


def main() -> None:
    """All three."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("assets")
    folder.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(STYLE | {"axes.spines.right": False, "svg.fonttype": "path"})
    for name, draw in {"wedge": wedge, "poses": poses, "noise": noise}.items():
        draw().savefig(folder / f"{name}.svg", metadata={"Date": None})


def wedge() -> Figure:
    """Which frequencies the tilts measure, and what SIRT and `auto` make of the others."""
    taken = take("core_shell", dose=100)
    figure, panels = canvas()
    frequencies(panels[0])
    shown = {
        "the specimen": taken.truth,
        "SIRT": found(taken, solver="sirt", poses="fixed"),
        "tomoinr, automatic": found(taken, poses="fixed"),
    }
    slices(panels[1:], shown, taken.truth)
    return figure


def frequencies(axes: Axes) -> None:
    """A slice kx–kz: measured, between the tilts, in the wedge."""
    k = np.fft.fftshift(np.fft.fftfreq(SIZE))
    measured, hidden = regions(k[:, None], k[None, :], np.array(TILTS))
    kinds = np.where(measured, 0, np.where(hidden, 2, 1))
    axes.imshow(kinds, cmap=ListedColormap([COLD, "#c9d6e6", "#f3d9cf"]), origin="lower")
    middle = SIZE / 2
    for at, text, ink in (((0.73, 0.5), "measured", "white"), ((0.5, 0.85), "missing wedge", HOT)):
        axes.text(at[0] * SIZE, at[1] * SIZE, text, color=ink, ha="center", va="center")
    axes.plot(middle, middle, "o", color="white", ms=3)
    bare(axes, "frequencies across the tilt axis", "$k_x$", "$k_z$, along the beam")


def poses() -> Figure:
    """What images that have moved do to a volume, and where they are found to be."""
    taken = take("nanoparticles", dose=50, shift=2.0, rotation=1.5)
    result = tomoinr.reconstruct(taken.series())
    figure, panels = canvas()
    shown = {
        "the specimen": taken.truth,
        "poses as recorded (SIRT)": found(taken, solver="sirt"),
        "poses learned": result.voxels,
    }
    slices(panels[:3], shown, taken.truth)
    moves(panels[3], taken, result.poses)
    return figure


def moves(axes: Axes, taken: Simulated, learned: tomoinr.Poses) -> None:
    """Shifts along x, true and found, less what moving the whole specimen explains."""
    angles = learned.angles()
    wrong, _ = unseen_removed(np.asarray(angles.dx) - taken.dx, taken.dy, taken.angles)
    axes.plot(taken.angles, taken.dx, "o", color=FADED, ms=5, label="true")
    axes.plot(taken.angles, taken.dx + wrong, color=HOT, lw=1.2, label="found")
    axes.set(title="shift of each image along x", xlabel="tilt, °", ylabel="pixels")
    axes.legend(frameon=False, ncols=2)
    axes.margins(y=0.2)


def noise() -> Figure:
    """SIRT goes on to explain the noise; its own misfit never tells."""
    taken = take("ellipsoids", dose=5)
    runs = {n: run(taken, solver="sirt", poses="fixed", steps=n) for n in ITERATIONS}
    wrong = {n: error(result.voxels, taken.truth) for n, result in runs.items()}
    best, last = min(wrong, key=lambda n: wrong[n]), ITERATIONS[-1]
    automatic = found(taken, poses="fixed")
    figure, panels = canvas()
    size = np.square(taken.images).mean()
    misfit = [np.sqrt(result.history[-1].loss / size) for result in runs.values()]
    axes = panels[0]
    axes.semilogx(ITERATIONS, list(wrong.values()), "o-", color=HOT, ms=4, label="from the truth")
    axes.semilogx(ITERATIONS, misfit, "s--", color=FADED, ms=4, label="from the images")
    axes.axhline(error(automatic, taken.truth), color=COLD, lw=1.2, label="tomoinr, from the truth")
    axes.set(title="SIRT: how far off it is", xlabel="iterations", ylabel="rms, relative")
    axes.legend(frameon=False, fontsize=8)
    axes.set_ylim(bottom=0)
    shown = {
        f"SIRT, {best} iterations (its best)": runs[best].voxels,
        f"SIRT, {last} iterations": runs[last].voxels,
        "tomoinr, automatic": automatic,
    }
    slices(panels[1:], shown, taken.truth)
    return figure


def error(voxels: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square of the difference, over that of the truth."""
    return float(np.sqrt(np.square(voxels - truth).mean() / np.square(truth).mean()))


def take(phantom: str, **acquisition: float) -> Simulated:
    """A tilt series of a phantom."""
    return simulate(phantom, (SIZE,) * 3, Acquisition(TILTS, **acquisition), seed=0)


def run(taken: Simulated, **parts: Any) -> tomoinr.Reconstruction:
    """A reconstruction of it."""
    return tomoinr.reconstruct(taken.series(), **parts)


def found(taken: Simulated, **parts: Any) -> np.ndarray:
    """Its volume."""
    return run(taken, **parts).voxels


def slices(panels: Any, volumes: dict[str, np.ndarray], truth: np.ndarray) -> None:
    """A slice x–z of each, at the truth's grey levels, with its likeness."""
    index = truth.std((1, 2)).argmax()
    low, high = np.percentile(truth, (0.5, 99.8))
    for axes, (name, voxels) in zip(panels, volumes.items(), strict=True):
        axes.imshow(voxels[index], cmap="gray", vmin=low, vmax=high, origin="lower")
        same = voxels is truth
        likeness = "" if same else f"\nSSIM {score(voxels, truth).ssim:.2f}"
        bare(axes, name + likeness, "x", "z, along the beam")


def bare(axes: Axes, title: str, x: str, y: str) -> None:
    """No ticks; axes named."""
    axes.set(title=title, xlabel=x, ylabel=y, xticks=[], yticks=[])


def canvas() -> tuple[Figure, Any]:
    """Four panels, two by two, so that they can be read on a narrow screen."""
    figure, panels = plt.subplots(2, 2, figsize=(7, 6.7), layout="constrained")
    return figure, panels.ravel()


if __name__ == "__main__":
    main()
