"""Zarr folders, versions 2 and 3: OME-Zarr in its finest level, or a plain array.

OME axes are followed by their names; a plain array is [image, row, column], or [channel, image,
row, column]. Written is OME-Zarr 0.4: images as t, c, y, x, volumes as c, z, y, x. What OME has no
room for (angles, tilt axis, order) is in the attribute `tomoinr`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Zstd  # type: ignore[import-untyped]

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.contents import SOFTWARE, Contents, named
from tomoinr_formats.doubts import angles_of, angstroms, axis_of, channels_of, square_pixels
from tomoinr_formats.planes import Planes
from tomoinr_formats.pyramid import levels
from tomoinr_formats.zarr_checks import check_array

PLAIN = {3: "tyx", 4: "ctyx"}  # the axes of arrays that do not name them
OLDEST = "tczyx"  # those of OME-Zarr before it named them
CUBE = 64


@dataclass(frozen=True)
class _Image:
    """An array with the names of its axes, its step along y and x (Å), and attributes."""

    array: zarr.Array
    axes: Sequence[str]
    sizes: tuple[float, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)


def read(path: Path, pixel_size: float | None) -> Stack:
    """The images of a folder; only what an image needs is unpacked."""
    found = _open(path)
    array, ours = found.array, found.attributes.get("tomoinr", {})
    notes = check_array(path, array, ours=bool(ours))
    planes = Planes.of(path, found.axes, array.shape)
    labels = [c.get("label", "") for c in found.attributes.get("omero", {}).get("channels", [])]
    return Stack(
        str(path),
        (planes.images, array.shape[-2], array.shape[-1]),
        array.dtype,
        lambda i: np.asarray(array[planes.index(i)]),
        angles_of(path, ours["angles"]) if "angles" in ours else None,
        square_pixels(path, pixel_size, found.sizes) if found.sizes else pixel_size,
        axis_of(path, ours.get("tilt_axis")),
        channels_of(labels, planes.channels, named(planes.channels)),
        notes=notes,
    )


def _open(path: Path) -> _Image:
    """The one array that is meant."""
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return _plain(path, node)
    attributes: dict[str, Any] = dict(node.attrs)
    attributes |= attributes.get("ome", {})
    if attributes.get("multiscales"):
        return _finest(path, node, attributes)
    arrays = [array for _, array in node.arrays()]
    if len(arrays) != 1:
        names = ", ".join(sorted(name for name, _ in node.members())) or "nothing"
        raise TomoinrError(f"{path}: is no OME-Zarr and holds no single array; it holds {names}")
    return _plain(path, arrays[0])


def _plain(path: Path, array: zarr.Array) -> _Image:
    if array.ndim not in PLAIN:
        raise TomoinrError(
            f"{path}: an array of {array.ndim} axes; it must be [image, row, column], or "
            "[channel, image, row, column]"
        )
    return _Image(array, PLAIN[array.ndim], (), dict(array.attrs))


def _finest(path: Path, group: zarr.Group, attributes: dict[str, Any]) -> _Image:
    """The largest level of the first image."""
    image = attributes["multiscales"][0]
    named = [(group[level["path"]], level) for level in image["datasets"]]
    found = [(node, level) for node, level in named if isinstance(node, zarr.Array)]
    if not found:
        raise TomoinrError(f"{path}: its metadata name no array")
    array, level = max(found, key=lambda pair: pair[0].size)
    axes = [a if isinstance(a, dict) else {"name": a} for a in image.get("axes", OLDEST)]
    names = ["c" if axis.get("type") == "channel" else axis["name"] for axis in axes]
    names = [name if len(name) == 1 else "t" for name in names]
    steps = _steps(image, level, axes)
    return _Image(array, names, steps, attributes)


def _steps(
    image: dict[str, Any], level: dict[str, Any], axes: list[dict[str, Any]]
) -> tuple[float, ...]:
    """Å a pixel along y and x; none where a unit is missing."""
    units = [angstroms(axis.get("unit", "")) for axis in axes[-2:]]
    steps = np.ones(2)
    for scale in (level, image):
        for change in scale.get("coordinateTransformations", ()):
            if change.get("type") == "scale":
                steps = steps * np.asarray(change["scale"], np.float64)[-2:]
    return tuple(float(s) * u for s, u in zip(steps, units, strict=True) if u)[: 2 * all(units)]


def write(path: Path, contents: Contents) -> None:
    """Levels that halve, each in pieces of its own."""
    series = contents.angles is not None
    array = contents.array.swapaxes(0, 1) if series else contents.array
    axes = "tcyx" if series else "czyx"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    scales = []
    for number, (level, factors) in enumerate(levels(array, halved=2 if series else 3)):
        chunks = (1, 1, *level.shape[2:]) if series else (1, CUBE, CUBE, CUBE)
        target = group.create_array(
            str(number),
            shape=level.shape,
            chunks=tuple(map(min, chunks, level.shape)),
            dtype="float32",
            compressors=Zstd(level=1, checksum=True),  # so that damage is found
            chunk_key_encoding={"name": "v2", "separator": "/"},
            config={"write_empty_chunks": True},  # so that a missing piece is a fault
        )
        for i in range(len(level)):
            target[i] = np.asarray(level[i], np.float32)
        scales.append(_placed(number, factors, contents.spacing, series))
    group.attrs.update(_metadata(contents, axes, scales))


def _placed(number: int, factors: tuple[int, ...], spacing: float, series: bool) -> dict[str, Any]:
    """Where a level lies: its voxels are as many times as large, their centres between the old."""
    lead = len(factors) - (2 if series else 3)
    scale = [1.0] * lead + [spacing * f for f in factors[lead:]]
    shift = [0.0] * lead + [spacing * (f - 1) / 2 for f in factors[lead:]]
    changes: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    changes.append({"type": "translation", "translation": shift})
    return {"path": str(number), "coordinateTransformations": changes}


def _metadata(contents: Contents, axes: str, scales: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of the folder: OME-Zarr 0.4, and our own."""
    kinds: dict[str, dict[str, str]] = {"t": {"type": "time"}, "c": {"type": "channel"}}
    length = {"type": "space", "unit": "angstrom"}
    ours: dict[str, Any] = {"software": SOFTWARE, "contents": contents.title}
    if contents.angles is None:
        ours |= {"order": contents.order}
    else:
        ours |= {"angles": contents.angles, "tilt_axis": contents.tilt_axis}
    image = {
        "version": "0.4",
        "name": contents.title,
        "axes": [{"name": axis, **kinds.get(axis, length)} for axis in axes],
        "datasets": scales,
        "type": "mean of pairs",
    }
    labels = [{"label": name, "color": "FFFFFF", "active": True} for name in contents.channels]
    low, high = float(contents.array.min()), float(contents.array.max())
    for label in labels:
        label["window"] = {"min": low, "max": high, "start": low, "end": high}
    return {"multiscales": [image], "omero": {"channels": labels}, "tomoinr": ours}
