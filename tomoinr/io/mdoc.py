"""SerialEM's .mdoc: what was recorded with each image, as `key = value` under `[ZValue = 3]`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tomoinr.errors import TomoinrError
from tomoinr.io.lines import lines
from tomoinr.stack import Stack

KEYS = ("TiltAngle", "PixelSpacing", "RotationAngle")  # all that is kept
PACKED = (".gz", ".bz2")
TITLE = re.compile(r"tilt axis (?:rotation )?angle\s*=\s*([-+]?\d{1,3}(?:\.\d*)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Mdoc:
    """What a file says of all images, of each by its section number, and in its titles."""

    path: Path
    common: dict[str, str] = field(default_factory=dict)
    images: dict[int, dict[str, str]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)

    @property
    def has_angles(self) -> bool:
        """Whether any image has one."""
        return any("TiltAngle" in image for image in self.images.values())

    @property
    def angles(self) -> tuple[float, ...]:
        """Degrees, in the order of the sections of the stack; none may be missing."""
        if not self.has_angles:
            raise TomoinrError(f"{self.path}: holds no TiltAngle under any [ZValue = …]")
        angles = [_number(self.images.get(z, {}).get("TiltAngle")) for z in range(len(self.images))]
        if None in angles:
            raise TomoinrError(
                f"{self.path}: section {angles.index(None)} of {len(angles)} has no TiltAngle; "
                "give the angles in another file (--angles)"
            )
        return tuple(angle for angle in angles if angle is not None)

    @property
    def pixel_size(self) -> float | None:
        """Å."""
        sections = (self.common, *self.images.values())
        said = next((s["PixelSpacing"] for s in sections if "PixelSpacing" in s), None)
        size = _number(said)
        return size if size is not None and 1e-3 <= size <= 1e6 else None

    @property
    def tilt_axis(self) -> float | None:
        """Degrees counter-clockwise from the columns.

        SerialEM puts it in a title. Tomography 5 has another angle there, named TiltAxisAngle, and
        the axis in each image's RotationAngle, which in SerialEM's files is 90° away from it.
        """
        for title in self.titles:
            if found := TITLE.search(title):
                return float(found[1])
        if any("TiltAxisAngle" in title for title in self.titles):
            return next((_number(s.get("RotationAngle")) for s in self.images.values()), None)
        return None


def read_mdoc(path: Path) -> Mdoc:
    """A file of sections; lines that are neither section nor `key = value` are left out."""
    mdoc = Mdoc(path)
    section = mdoc.common
    for _, line in lines(path, "an .mdoc"):
        name, _, value = (part.strip() for part in line.strip("[]").partition("="))
        if name == "T":
            mdoc.titles.append(value)
        elif line.startswith("["):
            section = _section(mdoc, name, value)
        elif name in KEYS:
            section.setdefault(name, value)
    return mdoc


def _section(mdoc: Mdoc, name: str, value: str) -> dict[str, str]:
    """Where what follows goes; sections that are no images are read and forgotten."""
    if name != "ZValue":
        return {}
    if not value.isdecimal() or len(value) > 6:
        raise TomoinrError(f"{mdoc.path}: [ZValue = {value[:20]}] is no number of an image")
    if int(value) in mdoc.images:
        raise TomoinrError(f"{mdoc.path}: [ZValue = {value}] is there twice")
    return mdoc.images.setdefault(int(value), {})


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def beside(path: Path, suffix: str) -> Iterator[Path]:
    """Files that go with a stack: of stack.mrc.gz stack.mrc.gz.mdoc, stack.mrc.mdoc, stack.mdoc."""
    bare = path.with_suffix("") if path.suffix.lower() in PACKED else path
    names = (path.name, path.stem, bare.stem)
    there = (path.with_name(name + suffix) for name in dict.fromkeys(names))
    return (name for name in there if name.is_file())


def completed(stack: Stack, path: Path) -> Stack:
    """A stack with what the .mdoc beside it says of pixel size and tilt axis, where it does not."""
    found = next(beside(path, ".mdoc"), None)
    if found is None or None not in (stack.pixel_size, stack.tilt_axis):
        return stack
    try:
        mdoc = read_mdoc(found)
    except TomoinrError as error:
        return replace(stack, notes=(*stack.notes, f"not used: {error}"))
    if stack.pixel_size is None and mdoc.pixel_size is not None:
        note = f"pixel size of {mdoc.pixel_size:g} Å from {found.name}"
        stack = replace(stack, pixel_size=mdoc.pixel_size, notes=(*stack.notes, note))
    aligned = ".ali" in path.suffixes  # such images have been turned since
    if stack.tilt_axis is None and mdoc.tilt_axis is not None and not aligned:
        note = f"tilt axis from {found.name}"
        stack = replace(stack, tilt_axis=mdoc.tilt_axis, notes=(*stack.notes, note))
    return stack
