"""What a notebook shows of a value: key numbers, a few small pictures, what there is to note."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.live.planes import ACROSS, NAMES, greys, png
from tomoinr.live.words import duration

LARGEST = 160  # pixels of a picture's edges: larger ones are thinned
MOST = 8  # notes that are shown


def series_html(series: TiltSeries) -> str:
    """The images at the lowest, the smallest and the highest tilt."""
    tilts, rows, columns = series.shape
    angles = series.angles.cpu().numpy()
    shown = sorted({int(angles.argmin()), int(abs(angles).argmin()), int(angles.argmax())})
    shown.sort(key=lambda i: angles[i])
    step = math.ceil(max(rows, columns) / LARGEST)
    pictures = [series.images[0, i, ::step, ::step].cpu().numpy() for i in shown]
    captions = [f"{angles[i]:.4g}° · section {series.sections[i]}" for i in shown]
    facts = {
        "images": f"{tilts} of {rows} × {columns}",
        "tilts": f"{angles.min():g}° to {angles.max():g}°",
        "pixel size": _size(series.pixel_size),
        "tilt axis": f"{series.tilt_axis:g}°" if series.tilt_axis else "",
        "channels": ", ".join(series.channels) if len(series.channels) > 1 else "",
        "from": series.source,
    }
    return _card("TiltSeries", facts, zip(captions, pictures, strict=True), series.notes)


def reconstruction_html(result: Reconstruction) -> str:
    """The middle planes of the volume."""
    voxels = result.voxels if result.voxels.ndim == 3 else result.voxels[0]
    step = math.ceil(max(voxels.shape) / LARGEST)
    pictures = [voxels.take(voxels.shape[a] // 2, a)[::step, ::step] for a in ACROSS]
    last = result.history[-1] if result.history else None
    rows, deep, columns = voxels.shape
    channels = result.series.channels
    solver = result.recipe.get("solver", {}).get("name", "")
    facts = {
        "volume": f"{rows} × {deep} × {columns} [y, z, x]",
        "voxel size": _size(result.grid.spacing),
        "channels": ", ".join(channels) if len(channels) > 1 else "",
        "solver": solver,
        "steps": f"{last.step} in {duration(last.seconds)}, loss {last.loss:.4g}" if last else "",
        "from": result.series.source,
    }
    return _card("Reconstruction", facts, zip(NAMES, pictures, strict=True), result.notes)


def _size(size: float) -> str:
    return "unknown, taken as 1 Å" if size == 1 else f"{size:g} Å"


def _card(
    name: str,
    facts: dict[str, str],
    pictures: Iterable[tuple[str, np.ndarray]],
    notes: Sequence[str],
) -> str:
    """In the colours of the page, light or dark."""
    rows = "".join(_row(what, told) for what, told in facts.items() if told)
    figures = "".join(_figure(caption, picture) for caption, picture in pictures)
    shown = [*notes[:MOST], *([f"and {len(notes) - MOST} more"] if len(notes) > MOST else [])]
    told = "".join(f"<li>{escape(note)}</li>" for note in shown)
    return (
        f'<div style="font-family:system-ui,sans-serif"><b>tomoinr.{name}</b>'
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<table style="margin:0">{rows}</table>{figures}</div>'
        + (f'<ul style="margin:.4em 0;opacity:.8">{told}</ul>' if told else "")
        + "</div>"
    )


def _row(what: str, told: str) -> str:
    left = "text-align:left;background:none;padding:.1em .8em .1em 0"
    return (
        f'<tr style="background:none"><td style="{left};opacity:.7">{what}</td>'
        f'<td style="{left}">{escape(told)}</td></tr>'
    )


def _figure(caption: str, picture: np.ndarray) -> str:
    (grey,) = greys([picture])
    data = base64.b64encode(png(grey)).decode()
    return (
        '<figure style="margin:0;text-align:center">'
        f'<img alt="{escape(caption)}" style="width:{LARGEST}px;max-width:none;margin:0;'
        f'image-rendering:pixelated" src="data:image/png;base64,{data}">'
        f'<figcaption style="opacity:.7;font-size:.85em">{escape(caption)}</figcaption></figure>'
    )
