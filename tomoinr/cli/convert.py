"""`tomoinr convert`: a stack or a volume in another format."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from tomoinr.cli.given import DATA, OUTPUT, Angles, Order, PixelSize, TiltAxis
from tomoinr.cli.progress import Progress
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import check_file, describe, save
from tomoinr.io.angles import angles_beside, holds
from tomoinr.io.atomic import publish
from tomoinr.io.records import record_beside, record_text
from tomoinr.io.sections import read_sections
from tomoinr.io.volumes import LARGE, Filed, channel, find, reconstruction, values
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

log = logging.getLogger(__name__)


class Kind(enum.StrEnum):
    """What the sections of a file are."""

    stack = "stack"
    volume = "volume"


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A tilt series, a volume, or a result's folder.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; its suffix is the format.")
    ],
    kind: Annotated[
        Kind | None,
        typer.Option(help="What IN is, where it does not say so.", rich_help_panel=DATA),
    ] = None,
    order: Annotated[
        Order | None,
        typer.Option(
            help="Axes of a volume: imod (y, z, x) or xyz (-z, y, x); else as in IN.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Annotated[
        str,
        typer.Option(
            help="Images of a stack that are left out, from 0, as 0,17-19.", rich_help_panel=DATA
        ),
    ] = "",
    channel_: Annotated[
        str | None,
        typer.Option(
            "--channel", help="One channel of several: name or number.", rich_help_panel=DATA
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier file.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Write a stack or a volume in another format.

    tomoinr convert stack.mrc stack.h5
    tomoinr convert result volume.tif --order xyz

    Values, angles, pixel size and tilt axis are kept; images whose tilt
    axis is x are turned by a quarter, so that it is y. Angles also go into
    a .rawtlt beside OUT, and what it was made from into a
    .provenance.json, for tomoinr rerun. Files larger than the memory can be
    converted; the disk then holds them once more for a while.
    """
    given = dict(locals())
    kind, order = kind and Kind(kind), order and Order(order)
    if out.is_dir() and not out.suffix:
        raise TomoinrError(f"{out}: this is a folder; name the file to write")
    plugins, record = Plugins(), record_beside(out)
    found = find(source, plugins, pixel_size)
    is_stack = _is_stack(found, kind, angles)
    if is_stack and order:
        raise TomoinrError(f"{source}: a tilt series has no order of axes; leave --order out")
    if not is_stack and (angles or exclude):
        raise TomoinrError(
            f"{source}: a volume has no angles and no images to leave out; --kind stack if it is "
            "a tilt series"
        )
    if is_stack:
        described = describe(found.stack.source, angles, plugins, pixel_size, tilt_axis)
        found = replace(found, stack=_upright(described.but(read_sections(exclude))))
    beside = [*_beside(out, found, is_stack), record]
    check_file(out, force, found.stack.source, beside, plugins)
    text = _recorded(record, given, found, is_stack, plugins)
    found = found if channel_ is None else channel(found, channel_)
    wanted = order.value if order else found.order or "imod"
    with Progress() as progress:
        for line in _taken(found, is_stack, kind):
            progress.tell(line)
        with values(found, out.parent) as array:
            made = _series(found, array) if is_stack else reconstruction(found, array)
            save(out, made, force, wanted, plugins)
        publish({record: text}, force)
        progress.tell(_written(out, made, wanted))


def _is_stack(found: Filed, kind: Kind | None, angles: str | None) -> bool:
    """As told; else as the file says; else whether there are angles."""
    if kind:
        return kind is Kind.stack
    if found.is_volume:
        return False
    if angles or found.stack.angles is not None:
        return True
    return angles_beside(Path(found.stack.source)) is not None


def _recorded(
    record: Path, given: dict[str, Any], found: Filed, is_stack: bool, plugins: Plugins
) -> str:
    """The record of the command, with the angles that were read written out."""
    stack, out = found.stack, given["out"]
    angles = list(stack.angles or ()) if is_stack else None
    data: dict[str, Any] = {"stack": str(Path(stack.source).absolute()), "angles": angles}
    data |= {"pixel_size": stack.pixel_size, "exclude": given["exclude"]}
    names = (out.name, *([out.with_suffix(".rawtlt").name] if is_stack else []))
    whole = given | ({"angles": angles} if is_stack and not given["exclude"] else {})
    return record_text(record, "convert", whole, names, {"data": data}, plugins)


def _beside(out: Path, found: Filed, is_stack: bool) -> list[Path]:
    """The file of angles, unless it is there already and has them."""
    path = out.with_suffix(".rawtlt")
    return [path] if is_stack and not holds(path, found.stack.angles or ()) else []


def _upright(stack: Stack) -> Stack:
    """Images turned by quarters, one by one, so that the tilt axis is y: as all writers expect."""
    assert stack.tilt_axis is not None, "described by now"
    quarters = round(stack.tilt_axis / 90)
    if quarters % 4 == 0:
        return stack
    images, rows, columns = stack.shape
    return replace(
        stack,
        shape=(images, columns, rows) if quarters % 2 else stack.shape,
        image=lambda i: np.rot90(stack.image(i), quarters, axes=(-2, -1)),
        tilt_axis=stack.tilt_axis - 90 * quarters,
        notes=(*stack.notes, "images turned so that the tilt axis runs along their columns"),
    )


def _taken(found: Filed, is_stack: bool, kind: Kind | None) -> Iterator[str]:
    """What is read, and what is taken for true of it."""
    stack = found.stack
    size = "pixel size unknown" if stack.pixel_size is None else f"pixels of {stack.pixel_size:g} Å"
    count = " × ".join(map(str, stack.shape))
    what = "tilt series" if is_stack else "volume"
    yield f"{stack.source}: {what} of {count}, {stack.dtype.name}, {size}"
    if is_stack:
        yield from stack.notes
    elif not found.is_volume and kind is None:
        yield "taken for a volume, since no angles are known (--angles makes it a tilt series)"
    elif not found.order:
        yield "its order of axes is not told: taken to be imod, [y, z, x]"
    if found.bytes > LARGE:
        log.info("%s: kept in a file while it is converted", stack.source)


def _series(found: Filed, array: np.ndarray) -> TiltSeries:
    """The images and all that is known of them."""
    stack = found.stack
    assert stack.angles is not None and stack.tilt_axis is not None, "described by now"
    return TiltSeries(
        torch.from_numpy(array),
        torch.tensor(stack.angles, dtype=torch.float64),
        1.0 if stack.pixel_size is None else stack.pixel_size,
        stack.channels,
        stack.sections,
        stack.source,
        stack.tilt_axis,
        stack.notes,
    )


def _written(out: Path, made: TiltSeries | Reconstruction, order: str) -> str:
    if isinstance(made, TiltSeries):
        return f"wrote {out}; its angles are in {out.with_suffix('.rawtlt').name} as well"
    return f"wrote {out}, order {order}"
