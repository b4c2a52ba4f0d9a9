"""Poses and images put together: aligned stacks, and poses of images as they stand in their file.

Between a file and the series that is worked on, images may be left out, turned by quarters and
binned. Pose files of other programs speak of the file: of all its images, as they are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.geometry import Poses, positions, turn_z
from tomoinr.io.poses import poses_text, read_poses
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

OWN = ".json"  # the format that keeps a series' poses as they are
EDGE = 2  # rows and columns at an image's border whose mean stands for what lies beyond


def applied(series: TiltSeries, poses: Poses, box: tuple[int, int] | None = None) -> TiltSeries:
    """Images with turns in the plane and shifts undone (bicubic), tilts taken over as angles.

    `box`: rows and columns of the new images, about the same centre; none: as before.
    """
    if len(poses.shift) != len(series.angles):
        raise TomoinrError(
            f"{series.source}: {len(series.angles)} images but {len(poses.shift)} poses"
        )
    if box and min(box) < 1:
        raise TomoinrError(f"a box of {box[0]} × {box[1]} pixels holds nothing; give rows, columns")
    found = Poses(poses.rotation.detach().double(), poses.shift.detach().double()).angles()
    shift = torch.stack((found.dx, found.dy), 1) / series.pixel_size
    turn = turn_z(found.rotation)[:, :2, :2]
    images = series.images.new_empty(*series.images.shape[:2], *(box or series.shape[1:]))
    for i in range(len(shift)):  # one by one: the places of a large stack would fill the memory
        images[:, i] = _resampled(series.images[:, i], turn[i], shift[i], images.shape[2:])
    steepest = float(found.out_of_plane.abs().max())
    kept = (f"the axis leaves the image by up to {steepest:.2f}°: that stays",)
    notes = (*series.notes, "turns and shifts undone", *(kept if steepest > 0.01 else ()))
    return replace(series, images=images, angles=found.tilt, tilt_axis=0.0, notes=notes)


def poses_for(
    path: str | Path, series: TiltSeries, stack: Stack, plugins: Plugins | None = None
) -> Poses:
    """The poses in a file for a series that was taken from a described stack.

    The file speaks of all images of the stack, or of those taken.
    """
    path = Path(path)
    if path.suffix.lower() == OWN or not path.is_file():
        return read_poses(path, series)
    whole, host = as_filed(stack), plugins or Plugins()
    place = [whole.sections.index(section) for section in series.sections]
    with told_plainly(f"{path}: no poses can be read from it"):
        found = None
        if len(place) < len(whole.sections):
            with suppress(TomoinrError):
                every = host.read_poses(path, whole)
                found = every and every.some(place)
        found = found or host.read_poses(path, whole.select(place))
    if found is None:
        raise TomoinrError(f"{path}: no reader of poses knows the suffix '{path.suffix}'")
    missing = ~found.shift.isfinite().all(1)
    if bool(missing.any()):
        section = series.sections[int(missing.nonzero()[0])]
        raise TomoinrError(
            f"{path}: holds no pose for image {section}; leave it out (--exclude {section})"
        )
    return _turned(found, -quarters(series, stack))


def pose_texts(
    path: Path, poses: Poses, series: TiltSeries, stack: Stack, plugins: Plugins | None = None
) -> dict[Path, str]:
    """Files of poses and their texts, in the format that the suffix names, for a stack's images."""
    if path.suffix.lower() == OWN:
        return {path: poses_text(poses, series)}
    whole, turned = as_filed(stack), _turned(poses, quarters(series, stack))
    place = [whole.sections.index(section) for section in series.sections]
    # Not finite: the image was left out.
    every = Poses(
        torch.full((len(whole.angles), 3, 3), torch.nan, dtype=torch.float64),
        torch.full((len(whole.angles), 2), torch.nan, dtype=torch.float64),
    )
    every.rotation[place], every.shift[place] = turned.rotation, turned.shift
    with told_plainly(f"{path}: cannot be written"):
        made = (plugins or Plugins()).write_poses(path, every, whole)
    if not made:
        raise TomoinrError(f"{path}: no writer of poses knows the suffix '{path.suffix}'")
    return made


def as_filed(stack: Stack) -> TiltSeries:
    """All images of a described stack as they stand in the file, but black: nothing is read."""
    return TiltSeries(
        torch.zeros(()).expand(stack.shape),
        torch.tensor(stack.angles, dtype=torch.float64),
        1.0 if stack.pixel_size is None else stack.pixel_size,
        sections=stack.sections,
        source=stack.source,
        tilt_axis=stack.tilt_axis or 0.0,
    )


def quarters(series: TiltSeries, stack: Stack) -> int:
    """Quarter turns, clockwise, by which the series' images were turned when they were read."""
    there = stack.tilt_axis or 0.0
    turns = round(there / 90)
    if abs(there - 90 * turns - series.tilt_axis) > 1e-6:
        raise TomoinrError(
            f"{series.source}: a preparation turned the images, so that poses in files of other "
            "programs do not fit them; use poses.json, or leave that preparation out"
        )
    return turns


def _turned(poses: Poses, quarter_turns: int) -> Poses:
    """The poses in images that are turned counter-clockwise."""
    turn = turn_z(torch.tensor([90.0 * quarter_turns], dtype=torch.float64))[0]
    rotation, shift = poses.rotation.detach().double(), poses.shift.detach().double()
    return Poses(turn @ rotation, shift @ turn[:2, :2].T)


def _resampled(image: Tensor, turn: Tensor, shift: Tensor, box: Sequence[int]) -> Tensor:
    """An image (C, H, W) seen at turn · place + shift (pixels) for every place of a box."""
    height, width = image.shape[1:]
    rows, columns = (positions(n).to(turn) for n in box)
    x = turn[0, 0] * columns + turn[0, 1] * rows[:, None] + shift[0]
    y = turn[1, 0] * columns + turn[1, 1] * rows[:, None] + shift[1]
    places = torch.stack((x * (2 / width), y * (2 / height)), -1)[None].to(image)
    outside = _border(image)
    moved = functional.grid_sample(
        (image - outside)[None], places, mode="bicubic", align_corners=False
    )
    return moved[0] + outside


def _border(image: Tensor) -> Tensor:
    """The mean of the pixels at an image's border: (C, 1, 1)."""
    inner = torch.zeros(image.shape[1:], dtype=torch.bool)
    inner[EDGE:-EDGE, EDGE:-EDGE] = True
    return image[:, ~inner].mean(1)[:, None, None]
