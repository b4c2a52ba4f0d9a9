"""TIFF stacks: pages in, an OME-TIFF of one channel out.

Row and column numbers are kept as they are. Pixel sizes come from OME and ImageJ metadata; the
resolution of other TIFF files is that of a printer and is not believed.
"""

from __future__ import annotations

import hashlib
import logging
import logging.handlers
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import tifffile

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.contents import SOFTWARE, Contents, named
from tomoinr_formats.doubts import check_numbers, check_size, square_pixels
from tomoinr_formats.planes import Planes
from tomoinr_formats.tiff_facts import facts_of

CLASSIC = 2**32 - 2**25  # bytes of images up to which offsets of 32 bits do


def read(path: Path, pixel_size: float | None) -> Stack:
    """The first series of pages, each read when it is asked for."""
    with _opened(path) as tif:
        if not tif.series:
            raise TomoinrError(f"{path}: holds no images")
        series, facts = tif.series[0], facts_of(tif)
        planes = Planes.of(path, series.axes, series.shape)
        check_numbers(path, series.dtype)
        plane = _plane(path, series, planes, tif.byteorder)
        left = len(tif.series) - 1
    return Stack(
        str(path),
        (planes.images, series.shape[-2], series.shape[-1]),
        series.dtype,
        _with_channels(plane, planes),
        facts.angles(path),
        square_pixels(path, pixel_size, facts.sizes) if facts.sizes else pixel_size,
        facts.tilt_axis(path),
        named(planes.channels),
        notes=(f"{left} further series of other images left out",) if left else (),
    )


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """A file whose tags are all sound: tifffile goes on without those that it cannot read."""
    heard = logging.handlers.BufferingHandler(1000)
    heard.setLevel(logging.ERROR)
    logger = logging.getLogger("tifffile")
    logger.addHandler(heard)
    try:
        with tifffile.TiffFile(path, _multifile=False) as tif:
            yield tif
    finally:
        logger.removeHandler(heard)
    if heard.buffer:
        raise TomoinrError(f"{path}: is damaged: {heard.buffer[0].getMessage()}")


def _plane(
    path: Path, series: tifffile.TiffPageSeries, planes: Planes, byteorder: str
) -> Callable[[int], np.ndarray]:
    """How one plane is read; refuses what cannot be as large as it says."""
    length, start = path.stat().st_size, series.dataoffset
    if start is None:
        check_size(path, series.nbytes, length)
        return _page(path, _pages(path, series, planes, length))
    if start + series.nbytes > length:
        raise TomoinrError(
            f"{path}: should hold {series.nbytes} bytes of images and has {length} in all; "
            "it is cut short or damaged, copy it again"
        )
    rows, columns = series.shape[-2:]
    return _place(
        path, start, series.dtype.newbyteorder(">" if byteorder == ">" else "<"), rows, columns
    )


def _pages(
    path: Path, series: tifffile.TiffPageSeries, planes: Planes, length: int
) -> tuple[int, ...]:
    """The numbers of the pages, one for each plane, all within the file."""
    pages = [page for page in series.pages if page is not None]
    if len(pages) != math.prod(planes.lead):
        raise TomoinrError(
            f"{path}: tells of {math.prod(planes.lead)} images and has {len(pages)}; it is "
            "incomplete, or one of several files: save them in one"
        )
    for number, page in enumerate(pages):
        ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=False))
        if max(ends, default=0) > length:
            raise TomoinrError(f"{path}: image {number} is cut short or damaged; copy it again")
    return tuple(int(page.index) for page in pages)


def _place(
    path: Path, start: int, dtype: np.dtype, rows: int, columns: int
) -> Callable[[int], np.ndarray]:
    """Planes that lie one after the other, by their place in the file."""
    count = rows * columns

    def plane(number: int) -> np.ndarray:
        values = np.fromfile(path, dtype, count, offset=start + number * count * dtype.itemsize)
        if values.size != count:
            raise TomoinrError(f"{path}: was cut short while it was read; copy it again")
        return values.reshape(rows, columns)

    return plane


def _page(path: Path, pages: tuple[int, ...]) -> Callable[[int], np.ndarray]:
    """Planes that have to be unpacked."""

    def plane(number: int) -> np.ndarray:
        with _opened(path) as tif:
            return tif.pages[pages[number]].asarray(maxworkers=1)

    return plane


def _with_channels(
    plane: Callable[[int], np.ndarray], planes: Planes
) -> Callable[[int], np.ndarray]:
    def image(i: int) -> np.ndarray:
        found = [plane(number) for number in planes.numbers(i)]
        return found[0] if len(found) == 1 else np.stack(found)

    return image


def write(path: Path, contents: Contents) -> None:
    """OME-TIFF, 32-bit; a resolution in pixels a centimetre for programs that know no OME."""
    array = contents.only_channel("TIFF")
    told = {"software": SOFTWARE, "contents": contents.title}
    sizes = {f"PhysicalSize{axis}": contents.spacing for axis in "XY"}
    units = {f"PhysicalSize{axis}Unit": "Å" for axis in "XY"}
    if contents.angles is None:
        sizes["PhysicalSizeZ"], units["PhysicalSizeZUnit"] = contents.spacing, "Å"
    else:
        told |= {"angles": " ".join(map(repr, contents.angles))}
        told |= {"tilt_axis": repr(contents.tilt_axis)}
    tifffile.imwrite(
        path,
        (np.ascontiguousarray(image, np.float32) for image in array),
        shape=array.shape,
        dtype=np.float32,
        bigtiff=math.prod(array.shape) * 4 > CLASSIC,
        ome=True,
        photometric="minisblack",
        resolution=_per_centimetre(contents.spacing),
        resolutionunit="CENTIMETER",
        metadata={
            "axes": "ZYX" if contents.angles is None else "TYX",
            "UUID": _identity(array),
            **sizes,
            **units,
            "MapAnnotation": told,
        },
    )


def _per_centimetre(spacing: float) -> tuple[float, float] | None:
    """Pixels a centimetre, where 32 bits hold them."""
    count = 1e8 / spacing
    return (count, count) if count < 2**32 else None


def _identity(array: np.ndarray) -> str:
    """One that equal images share, and that does not tell of the machine."""
    digest = hashlib.blake2b(digest_size=16)
    for image in array:
        digest.update(np.ascontiguousarray(image, np.float32).data)
    return str(UUID(bytes=digest.digest()))
