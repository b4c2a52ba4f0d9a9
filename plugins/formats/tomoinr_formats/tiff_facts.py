"""What the metadata of a TIFF file say of its images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from tomoinr.errors import TomoinrError
from tomoinr_formats.doubts import angles_of, angstroms, axis_of


@dataclass(frozen=True)
class Facts:
    """Pixel sizes (Å) along x and y, none where they are not known, and our own annotations."""

    sizes: tuple[float, ...] = ()
    told: dict[str, str] = field(default_factory=dict)

    def angles(self, path: Path) -> tuple[float, ...] | None:
        """Tilt angles, in files of ours."""
        return angles_of(path, _numbers(path, self.told["angles"])) if self._ours else None

    def tilt_axis(self, path: Path) -> float | None:
        """The tilt axis, in files of ours."""
        axis = self.told.get("tilt_axis")
        return axis_of(path, _numbers(path, axis)) if self._ours and axis else None

    @property
    def _ours(self) -> bool:
        return self.told.get("software", "").startswith("tomoinr ") and "angles" in self.told


def facts_of(tif: tifffile.TiffFile) -> Facts:
    """From OME-XML, else from ImageJ's lines."""
    if tif.ome_metadata:
        return _ome(tif.ome_metadata)
    if tif.imagej_metadata:
        return Facts(_imagej(tif))
    return Facts()


def _ome(xml: str) -> Facts:
    root = ElementTree.fromstring(xml)
    pixels = next((e for e in root.iter() if e.tag.endswith("}Pixels")), None)
    told = {e.get("K", ""): e.text or "" for e in root.iter() if e.tag.endswith("}M")}
    sizes = [] if pixels is None else [_length(pixels, axis) for axis in "XY"]
    return Facts(tuple(size for size in sizes if size is not None), told)


def _length(pixels: ElementTree.Element, axis: str) -> float | None:
    """One `PhysicalSize` in Å; its unit is the micrometre where none is named."""
    size = pixels.get(f"PhysicalSize{axis}")
    unit = angstroms(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return float(size) * unit if size and unit else None


def _imagej(tif: tifffile.TiffFile) -> tuple[float, ...]:
    """Å a pixel, from the resolution tags, which count pixels a unit."""
    unit = angstroms(str((tif.imagej_metadata or {}).get("unit", "")))
    tags = tif.pages.first.tags
    ratios = [tags[name].value for name in ("XResolution", "YResolution") if name in tags]
    if unit is None or len(ratios) != 2 or not all(count and per for count, per in ratios):
        return ()
    return tuple(unit * per / count for count, per in ratios)


def _numbers(path: Path, text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        raise TomoinrError(f"{path}: '{text[:40]}' in its annotations is no number") from None
