"""Volumes from files: which files hold one, how its axes run, and the voxels as [y, z, x]."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.geometry import Grid, Poses
from tomoinr.io.reading import UNKNOWN, open_stack
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

VOLUME, RECIPE, POSES = "volume.mrc", "recipe.toml", "poses.json"
NOTED = ": read as images"  # how a reader's note on a volume ends
LABEL = re.compile(rb"volume, order (imod|xyz)")  # as our writers say it, in every format
ENDS = 1 << 17  # bytes at a file's ends where a label may be
ATTRIBUTES = (".zattrs", "zarr.json")  # where a Zarr, which is a folder, has it
LARGE = 256 << 20  # bytes of an array that is better kept on the disk than in memory


@dataclass(frozen=True, eq=False)
class Filed:
    """A file of sections; `order` is that of a volume's axes, `folder` a result's that it is of."""

    stack: Stack
    order: str = ""  # none: no label says so
    folder: Path | None = None

    @property
    def is_volume(self) -> bool:
        """Whether the file, or the folder it is in, says so."""
        noted = any(note.endswith(NOTED) for note in self.stack.notes)
        return bool(self.order or self.folder or noted)

    @property
    def bytes(self) -> int:
        """What its values take up as 32-bit numbers."""
        return 4 * len(self.stack.channels) * int(np.prod(self.stack.shape))


def find(
    path: str | Path, plugins: Plugins | None = None, pixel_size: float | None = None
) -> Filed:
    """A stack or a volume; of a result's folder its volume."""
    path = Path(path)
    if path.is_dir() and (path / RECIPE).is_file():
        path = path / VOLUME
    stack = open_stack(path, plugins, pixel_size)
    inside = path.name == VOLUME and (path.parent / RECIPE).is_file()
    return Filed(stack, _label(path), path.parent if inside else None)


def channel(filed: Filed, wanted: str) -> Filed:
    """One channel of several, by its name or its number from 0."""
    names = filed.stack.channels
    if wanted not in names and not (wanted.isdecimal() and int(wanted) < len(names)):
        raise TomoinrError(
            f"{filed.stack.source}: there is no channel '{wanted}'; there are {', '.join(names)}"
        )
    index = names.index(wanted) if wanted in names else int(wanted)
    image = filed.stack.image
    one = filed.stack if len(names) == 1 else replace(
        filed.stack, channels=(names[index],), image=lambda i: image(i)[index]
    )  # fmt: skip
    return replace(filed, stack=one)


@contextmanager
def values(filed: Filed, beside: Path | None = None) -> Iterator[np.ndarray]:
    """All sections [channel, section, row, column], 32-bit, as filed.

    Large ones lie in a file that goes again, in the folder `beside` or in that of temporary files.
    """
    stack = filed.stack
    shape = (len(stack.channels), *stack.shape)
    with tempfile.TemporaryFile(dir=beside) as file:
        array: np.ndarray
        if filed.bytes > LARGE:
            array = np.memmap(file, np.float32, "w+", shape=shape)
        else:
            array = np.empty(shape, np.float32)
        with told_plainly(f"{stack.source}: cannot be read"):
            for i in range(stack.shape[0]):
                array[:, i] = stack.image(i)
        yield array


def turned(array: np.ndarray, order: str) -> np.ndarray:
    """Sections of a volume in an order named, as [channel, y, z, x]; nothing is copied."""
    return np.rot90(array, -1, axes=(-3, -2)) if order == "xyz" else array


def read_volume(path: str | Path, plugins: Plugins | None = None) -> tuple[np.ndarray, Filed]:
    """The voxels [y, z, x] of a file or a result's folder, in memory, and what is said of them."""
    filed = find(path, plugins)
    if len(filed.stack.channels) > 1:
        names = ", ".join(filed.stack.channels)
        raise TomoinrError(
            f"{filed.stack.source}: holds the channels {names}; take one: "
            "tomoinr convert --channel NAME"
        )
    with values(filed) as array:
        return np.array(turned(array, filed.order)[0]), filed


def reconstruction(filed: Filed, array: np.ndarray) -> Reconstruction:
    """Sections as filed, as what writers of volumes take; where it comes from goes along."""
    voxels, spacing = turned(array, filed.order), filed.stack.pixel_size or UNKNOWN
    source = filed.stack.source
    recipe: Mapping[str, Any] = {}
    if filed.folder:
        recipe = _recipe(filed.folder)
        source = str(recipe.get("data", {}).get("stack", source))
    named = TiltSeries(
        torch.zeros(len(filed.stack.channels), 2, 1, 1),
        torch.arange(2),
        spacing,
        filed.stack.channels,
        source=source,
    )
    shape = (voxels.shape[1], voxels.shape[2], voxels.shape[3])
    grid = Grid(shape, spacing)
    single = voxels[0] if len(voxels) == 1 else voxels
    return Reconstruction(single, grid, Poses.of(named.angles), (), named, recipe)


def _recipe(folder: Path) -> Mapping[str, Any]:
    with told_plainly(f"{folder / RECIPE}: cannot be read"):
        return tomllib.loads((folder / RECIPE).read_text("utf-8"))


def _label(path: Path) -> str:
    """The order that a label in a file of ours tells; none: it has no such label."""
    files = [path / name for name in ATTRIBUTES] if path.is_dir() else [path]
    for file in filter(Path.is_file, files):
        with file.open("rb") as opened:
            head = opened.read(ENDS)
            opened.seek(max(0, file.stat().st_size - ENDS))
            text = (head + opened.read()).replace(b"\0", b"")  # NumPy has four bytes a letter
        if found := LABEL.search(text):
            return found[1].decode()
    return ""
