"""Figures for papers, drawn by matplotlib: one a subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from tomoinr.report.content import Content, tables
from tomoinr.report.packing import window
from tomoinr.report.planes import AXES, PLANES, cut
from tomoinr.report.spectrum import wedge
from tomoinr.report.words import unit

OURS, OTHER = "#1f5fd0", "#c2570c"
POSES = {
    "dx": "shift along x (px)",
    "dy": "shift along y (px)",
    "rotation": "in-plane rotation (°)",
    "tilt": "tilt correction (°)",
}
Draw = Callable[[Content, dict[str, Any]], Figure | None]


def drawn(content: Content) -> dict[str, Figure]:
    """All figures that there is something for, by name; the caller closes them."""
    table, _ = tables(content)
    made = {name: draw(content, table) for name, draw in FIGURES.items()}
    return {name: figure for name, figure in made.items() if figure is not None}


def empty() -> Figure:
    """A page of A4."""
    return plt.figure(figsize=(8.27, 11.69))


def close(figure: Figure) -> None:
    """Let go of it."""
    plt.close(figure)


def _slices(content: Content, table: dict[str, Any]) -> Figure:
    """Three planes of the first channel, each volume at the grey levels of ours."""
    volumes, start = content.shown.volumes, table["volume"]["start"]
    size, spacing = (7.2, 2.6 * len(volumes) + 0.2), table["volume"]["spacing"]
    figure, axes = plt.subplots(len(volumes), 3, figsize=size, squeeze=False, layout="constrained")
    low, high = window(next(iter(volumes.values()))[0])
    for row, (name, channels) in zip(axes, volumes.items(), strict=True):
        for ax, plane in zip(row, PLANES, strict=True):
            piece = cut(channels[0], plane, start[AXES.index(plane.through)])
            rows, columns = (n * spacing / 2 for n in piece.shape)
            extent = (-columns, columns, -rows, rows)
            ax.imshow(piece, cmap="gray", vmin=low, vmax=high, origin="lower", extent=extent)
            ax.set(xlabel=f"{plane.right} ({unit(content.subject)})", ylabel=plane.up)
            ax.set_title(f"{name}, {plane.right}–{plane.up}")
    return figure


def _spectrum(content: Content, table: dict[str, Any]) -> Figure:
    count = len(content.spectra)
    figure, axes = plt.subplots(
        1, count, figsize=(3.5 * count, 3.5), squeeze=False, layout="constrained"
    )
    for ax, (name, channels) in zip(axes[0], content.spectra.items(), strict=True):
        found = channels[0]
        extent = (*found.kx, *found.kz)
        grey = {"cmap": "gray", "vmin": -content.range, "vmax": 0.0}
        shown = ax.imshow(found.power, **grey, origin="lower", extent=extent, aspect="equal")
        for angle in wedge(tilts) if (tilts := content.subject.poses.get("tilt")) else ():
            ax.axline((0, 0), slope=np.tan(np.deg2rad(angle)), color="#ffb04a", ls="--", lw=1)
        ax.set(xlim=found.kx, ylim=found.kz, title=name)
        ax.set(xlabel="$k_x$ (cycles per voxel)", ylabel="$k_z$")
    figure.colorbar(shown, ax=axes[0], label="power (dB)", shrink=0.8)
    return figure


def _fsc(content: Content, table: dict[str, Any]) -> Figure | None:
    if not (found := table["fsc"]):
        return None
    figure, ax = plt.subplots(figsize=(4.2, 3.0), layout="constrained")
    frequency = found["frequency"]
    ax.plot(frequency, _numbers(found["measured"]), color=OURS, label="where tilts measured")
    ax.plot(frequency, _numbers(found["wedge"]), color=OTHER, ls="--", label="in the missing wedge")
    for level in (0.143, 0.5):
        ax.axhline(level, color="0.6", ls=":", lw=1)
    ax.set(xlim=(0, 0.5), xlabel="spatial frequency (cycles per voxel)", ylabel="correlation")
    ax.set_ylim(top=1.02)
    ax.legend(frameon=False)
    return figure


def _course(content: Content, table: dict[str, Any]) -> Figure | None:
    if not (found := table["course"]):
        return None
    figure, ax = plt.subplots(figsize=(4.2, 3.0), layout="constrained")
    loss, validation = _numbers(found["loss"]), _numbers(found["validation"])
    ax.plot(found["step"], loss, color=OURS, label="loss")
    if np.isfinite(validation).any():
        there = np.isfinite(validation)
        steps = np.asarray(found["step"])[there]
        ax.plot(steps, validation[there], ".-", color=OTHER, label="validation loss")
        ax.axvline(found["best"]["step"], color=OTHER, ls=":", label="best validation")
    ax.axvline(found["stopped"]["step"], color="0.5", ls="--", label="stopped")
    ax.set(xlabel="step", ylabel="loss", yscale="log" if (loss > 0).all() else "linear")
    ax.legend(frameon=False)
    return figure


def _poses(content: Content, table: dict[str, Any]) -> Figure | None:
    if not (found := table["poses"]):
        return None
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 4.4), sharex=True, layout="constrained")
    for ax, (name, label) in zip(axes.flat, POSES.items(), strict=True):
        errors = found["errors"].get(name)
        bars = None if errors is None else np.nan_to_num(_numbers(errors))
        ax.errorbar(found["angle"], found[name], bars, fmt=".-", color=OURS, lw=0.7, capsize=2)
        ax.set_ylabel(label)
    for ax in axes[-1]:
        ax.set_xlabel("tilt angle (°)")
    return figure


def _residuals(content: Content, table: dict[str, Any]) -> Figure | None:
    """The image explained worst, and how well each is."""
    found, tilts = table["tilts"], content.tilts
    if not found or tilts is None or content.subject.result is None:
        return None
    values = _numbers(found["chi2"] or found["left"][0])
    order = np.argsort(content.subject.result.series.angles.numpy(), kind="stable")
    worst = int(np.nanargmax(values))
    measured, residual = (array[0, order[worst]] for array in (tilts.measured, tilts.residual))
    figure, axes = plt.subplot_mosaic([["m", "p", "r"], ["c", "c", "c"]], figsize=(7.2, 4.6),
                                      height_ratios=(1.4, 1), layout="constrained")  # fmt: skip
    low, high = found["windows"][0]
    reach = found["reach"][0]
    for key, image, name in (("m", measured, "measured"), ("p", measured - residual, "predicted")):
        axes[key].imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower")
        axes[key].set_title(f"{name}, {found['angles'][worst]:.4g}°")
    axes["r"].imshow(residual, cmap="RdBu_r", vmin=-reach, vmax=reach, origin="lower")
    axes["r"].set_title("residual")
    for key in "mpr":
        axes[key].set(xticks=[], yticks=[])
    axes["c"].plot(found["angles"], values, ".-", color=OURS, lw=0.7)
    axes["c"].plot(found["angles"][worst], values[worst], "o", mfc="none", color=OTHER)
    label = "χ² per pixel" if found["chi2"] else "residual ÷ image (rms)"
    axes["c"].set(xlabel="tilt angle (°)", ylabel=label, ylim=(0, 1.1 * np.nanmax(values)))
    return figure


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)


FIGURES: dict[str, Draw] = {
    "slices": _slices,
    "spectrum": _spectrum,
    "fsc": _fsc,
    "course": _course,
    "poses": _poses,
    "residuals": _residuals,
}
