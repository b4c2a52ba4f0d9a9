"""HDF5 in a plain layout of our own, which loses nothing.

`/images` [channel, tilt, y, x] and `/angles` (degrees) of a tilt series, or `/voxels`
[channel, …] of a volume, its axes by the attribute `order`; `/channels` names. Attributes of the
root: `format` = "tomoinr", `software`, `contents` (kind and axes in words), `pixel_size` (Å),
`tilt_axis` (degrees) or `order`.
"""

from __future__ import annotations

from pathlib import Path

import h5py  # type: ignore[import-untyped]

from tomoinr.stack import Stack
from tomoinr_formats.contents import SOFTWARE, Contents, named
from tomoinr_formats.doubts import angles_of, axis_of, channels_of, square_pixels
from tomoinr_formats.hdf5_parts import (
    check_images,
    check_list,
    dataset,
    fixed,
    new_file,
    part,
    plain,
    text,
)


def read(path: Path, file: h5py.File, pixel_size: float | None) -> Stack | None:
    """A file of ours; a volume reads as a stack of its slices."""
    data = dataset(file, "images") or dataset(file, "voxels")
    if text(file, "format") != "tomoinr" or data is None:
        return None
    check_images(path, data, (4,))
    angles, names = dataset(file, "angles"), dataset(file, "channels")
    count, name = len(data), data.name
    return Stack(
        str(path),
        data.shape[1:],
        data.dtype,
        lambda i: part(path, name, (slice(None), i)),
        None if angles is None else angles_of(path, check_list(path, angles)),
        square_pixels(path, pixel_size, [file.attrs.get("pixel_size", 0.0)]),
        axis_of(path, file.attrs.get("tilt_axis")),
        channels_of(
            [plain([each]) for each in names[:]] if names and names.size == count else (),
            count,
            named(count),
        ),
    )


def write(path: Path, contents: Contents) -> None:
    """Image by image, so that no second copy is made."""
    with new_file(path) as file:
        for name, words in (("format", "tomoinr"), ("software", SOFTWARE)):
            file.attrs[name] = fixed(words)
        file.attrs["contents"] = fixed(contents.title)
        file.attrs["pixel_size"] = contents.spacing
        if contents.angles is None:
            file.attrs["order"] = fixed(contents.order)
        else:
            file.attrs["tilt_axis"] = contents.tilt_axis
            file["angles"] = contents.angles
        file["channels"] = [fixed(name) for name in contents.channels]
        name = "voxels" if contents.angles is None else "images"
        data = file.create_dataset(name, contents.array.shape, "f4")
        for channel in range(len(contents.array)):
            for i in range(contents.array.shape[1]):
                data[channel, i] = contents.plane(channel, i)
