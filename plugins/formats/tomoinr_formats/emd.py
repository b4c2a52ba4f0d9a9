"""EMD, as tomviz and the Berkeley tools lay it out: a data set and a scale `dimN` for each axis.

A tilt series is [angle, y, x] with its tilt axis along x; the core turns the images by a quarter
(x → y, y → −x), which mirrors nothing. A volume is [x, y, z], as tomviz writes it: what MRC calls
columns, rows and sections. Scales that are named otherwise are taken in the order of the data.
Further channels are tomviz' further scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack
from tomoinr_formats.contents import SOFTWARE, Contents
from tomoinr_formats.doubts import angles_of, angstroms, axis_of, square_pixels
from tomoinr_formats.emd_scales import Scale, planes, scales
from tomoinr_formats.hdf5_parts import check_images, dataset, fixed, new_file, part, text

ALONG_X = -90.0  # where tomviz' tilt axis runs, counter-clockwise from y
BESIDE = "tomviz_scalars"


def read(path: Path, file: h5py.File, pixel_size: float | None) -> Stack | None:
    """The first data group of an EMD file."""
    groups = list(_groups(file))
    if not groups:
        return None
    group, others = groups[0], len(groups) - 1
    channels = _channels(path, group)
    dims = scales(path, group)
    order = planes(dims)
    angles, axis = _tilts(path, group, dims[order[0]])
    size, notes = _pixel_size(path, pixel_size, [dims[i] for i in order[1:]])
    if others:
        notes += (f"the first of {others + 1} data groups, '{group.name}'",)
    data = tuple(channels.values())
    shape = tuple(data[0].shape[i] for i in order)
    image = _image(path, tuple(each.name for each in data), order)
    return Stack(
        str(path), shape, data[0].dtype, image, angles, size, axis, tuple(channels), notes=notes
    )


def _groups(file: h5py.File) -> list[h5py.Group]:
    """Groups on the second level that hold data with scales."""
    firsts = [group for group in file.values() if isinstance(group, h5py.Group)]
    seconds = [group for first in firsts for group in first.values()]
    return [
        group
        for group in seconds
        if isinstance(group, h5py.Group) and dataset(group, "data") and dataset(group, "dim1")
    ]


def _channels(path: Path, group: h5py.Group) -> dict[str, h5py.Dataset]:
    """The data of a group, and further scalars of the same shape."""
    data = group["data"]
    check_images(path, data)
    found = {text(data, "name") or "signal": data}
    beside = group.get(BESIDE)
    for name in beside if isinstance(beside, h5py.Group) else ():
        other = dataset(beside, name)
        hard = isinstance(beside.get(name, getlink=True), h5py.HardLink)
        if hard and other is not None:
            check_images(path, other)
            if other.shape != data.shape:
                raise TomoinrError(f"{path}: '{other.name}' is {other.shape}, not {data.shape}")
            found[name] = other
    return found


def _image(
    path: Path, names: tuple[str, ...], order: tuple[int, ...]
) -> Callable[[int], np.ndarray]:
    """How image i is cut from data sets whose axes come in another order."""
    stack, row, column = order

    def image(i: int) -> np.ndarray:
        where = tuple(i if axis == stack else slice(None) for axis in range(3))
        found = np.stack([part(path, name, where) for name in names])
        found = found if row < column else found.swapaxes(1, 2)
        return found if len(names) > 1 else found[0]

    return image


def _tilts(
    path: Path, group: h5py.Group, scale: Scale
) -> tuple[tuple[float, ...] | None, float | None]:
    """Angles and tilt axis of a tilt series."""
    if not scale.angular:
        return None, None
    axis = axis_of(path, group.attrs.get("tilt_axis", ALONG_X))
    return angles_of(path, scale.values, scale.unit.startswith("rad")), axis


def _pixel_size(
    path: Path, given: float | None, scales: list[Scale]
) -> tuple[float | None, tuple[str, ...]]:
    """From the steps of the scales, where they have a unit of length."""
    units = [angstroms(scale.unit) for scale in scales]
    steps = [scale.step for scale in scales]
    sizes = [step * unit for step, unit in zip(steps, units, strict=True) if step and unit]
    if given is not None or len(sizes) != len(scales):
        return given, ()
    odd = all(step == 1 and unit == 10 for step, unit in zip(steps, units, strict=True))
    notes = ("pixels of 1 nm, which tomviz writes too where it does not know",) if odd else ()
    return square_pixels(path, None, sizes), notes


def write(path: Path, contents: Contents) -> None:
    """Version 0.2 of EMD, float32, with what tomviz needs to show it."""
    with new_file(path) as file:
        file.attrs.update(version_major=np.uint32(0), version_minor=np.uint32(2))
        file.attrs.update(software=fixed(SOFTWARE), contents=fixed(contents.title))
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = np.uint32(1)
        if contents.angles is None:
            shape = _write_volume(group, contents)
            names, first = ("x", "y", "z"), None
        else:
            group.attrs["tilt_axis"] = contents.tilt_axis + ALONG_X
            shape = _write_images(group, contents)
            names, first = ("angles", "y", "x"), contents.angles
        for axis, (name, length) in enumerate(zip(names, shape, strict=True), 1):
            angular = axis == 1 and first is not None
            values = first if angular else np.arange(length) * contents.spacing / 10
            scale = group.create_dataset(f"dim{axis}", data=np.asarray(values, np.float32))
            scale.attrs.update(name=fixed(name), units=fixed("[deg]" if angular else "[n_m]"))


def _write_images(group: h5py.Group, contents: Contents) -> tuple[int, ...]:
    """Turned back by a quarter, so that the tilt axis runs along x."""
    _, tilts, rows, columns = contents.array.shape
    for channel, data in enumerate(_places(group, contents, (tilts, columns, rows), None)):
        for i in range(tilts):
            data[i] = np.rot90(contents.plane(channel, i))
    return tilts, columns, rows


def _write_volume(group: h5py.Group, contents: Contents) -> tuple[int, ...]:
    """[x, y, z] for the fastest, middle and slowest axis, in cubes that read in any direction."""
    shape = contents.array.shape[:0:-1]
    cubes = tuple(min(64, length) for length in shape)
    for channel, data in enumerate(_places(group, contents, shape, cubes)):
        for first in range(0, shape[0], 64):
            slab = slice(first, first + 64)
            data[slab] = contents.array[channel, :, :, slab].transpose()
    return shape


def _places(
    group: h5py.Group, contents: Contents, shape: tuple[int, ...], chunks: tuple[int, ...] | None
) -> list[h5py.Dataset]:
    """A data set for each channel: `data`, and the others beside it."""
    first, *others = (name.replace("/", "_") for name in contents.channels)
    data = group.create_dataset("data", shape, "f4", chunks=chunks)
    data.attrs["name"] = fixed(first)
    if not others:
        return [data]
    beside = group.create_group(BESIDE, track_order=True)
    beside[first] = h5py.SoftLink(data.name)
    return [data, *(beside.create_dataset(name, shape, "f4", chunks=chunks) for name in others)]
