"""Files and folders as napari's layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import open_stack, read_angles
from tomoinr.io.angles import angles_beside

Layer = tuple[np.ndarray, dict[str, Any], str]
OURS = "tomoinr"  # the key in a layer's metadata: a TiltSeries, or the Reconstruction
PARTS = ("volume.mrc", "uncertainty.mrc")  # of a result's folder


def reader_for(path: str | Sequence[str]) -> Callable[[Any], list[Layer]] | None:
    """What reads a path; `None`: neither a file nor a folder that holds a result."""
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.is_dir() and (place / PARTS[0]).is_file() and (place / "recipe.toml").is_file():
        return read_result
    return read_file if place.is_file() else None


def read_result(path: str) -> list[Layer]:
    """The volume, and its uncertainty if there is one, hidden."""
    folder = Path(path)
    layers = [read_file(str(folder / name))[0] for name in PARTS if (folder / name).is_file()]
    for data, told, kind in layers:
        told["name"] = f"{folder.name}: {told['name']}"
        told["visible"] = "uncertainty" not in told["name"]
        assert kind == "image" and data.ndim == 3
    return layers


def read_file(path: str) -> list[Layer]:
    """A tilt series where angles are known, else a volume; a layer for each channel."""
    stack = open_stack(path)
    if stack.angles is not None or angles_beside(Path(path)):
        return series_layers(TiltSeries.load(path))
    size = stack.pixel_size or 1.0
    name = Path(path).stem
    volumes = stack.read().numpy()
    return [layer_of(volume, (size,) * 3, name, None) for volume in volumes]


def series_layers(series: TiltSeries) -> list[Layer]:
    """Images [tilt, row, column]; sliders go through the tilts."""
    size = series.pixel_size
    name = Path(series.source).stem
    many = len(series.channels) > 1
    return [
        layer_of(
            images,
            (1.0, size, size),
            f"{name} {channel}" if many else name,
            series if not many else None,
        )
        for images, channel in zip(series.images.cpu().numpy(), series.channels, strict=True)
    ]


def series_of(layer: Any, angles: str) -> TiltSeries:
    """The series that a layer shows; `angles` as the command line takes them, or empty."""
    known = layer.metadata.get(OURS)
    if not angles.strip():
        if isinstance(known, TiltSeries):
            return known
        raise TomoinrError(f"{layer.name}: no tilt angles are known; give them, as in -60:60:3")
    size = float(layer.scale[-1])
    images = torch.as_tensor(np.ascontiguousarray(layer.data))
    return TiltSeries(images, torch.tensor(read_angles(angles)), size, source=str(layer.name))


def layer_of(data: np.ndarray, scale: tuple[float, ...], name: str, value: Any) -> Layer:
    """Contrast by what its values are; `value` goes along."""
    low, high = np.percentile(data[:: max(1, len(data) // 32)], (0.5, 99.8))
    limits = (float(low), float(high) if high > low else float(low) + 1)
    told = {"name": name, "scale": scale, "colormap": "gray", "contrast_limits": limits}
    return data, told | {"metadata": {OURS: value} if value is not None else {}}, "image"
