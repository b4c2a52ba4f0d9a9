"""Where the tilt axis runs in the images, and images turned so that it runs along their columns."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError
from tomoinr.stack import Stack

Axis = str | float | None
SOURCE = "tilt axis from "  # how a reader's note begins that says where it has the axis from
NAMED = {"y": 0.0, "x": -90.0}  # the axis points where the coordinate grows


def tilt_axis_of(given: Axis, stack: Stack) -> tuple[float, str]:
    """Degrees counter-clockwise from the images' columns (y), and where that comes from."""
    if given is None and stack.tilt_axis is not None:
        said = (note[len(SOURCE) :] for note in stack.notes if note.startswith(SOURCE))
        source = next(said, "the file itself")
        return stack.tilt_axis, f"tilt axis at {stack.tilt_axis:g}° from y, as {source} has it"
    if given is None:
        return 0.0, "tilt axis taken to be y (vertical): nothing else is said (--tilt-axis)"
    try:
        degrees = NAMED[given] if given in NAMED else float(given)
    except (TypeError, ValueError):
        degrees = math.nan
    if not abs(degrees) <= 360:
        raise TomoinrError(
            f"tilt axis '{given}' is none of y, x, and an angle in degrees counter-clockwise from y"
        )
    return degrees, f"tilt axis at {degrees:g}° from y, as given"


def other_notes(stack: Stack) -> tuple[str, ...]:
    """What a reader notes besides where it has the tilt axis from, which `tilt_axis_of` tells."""
    return tuple(note for note in stack.notes if not note.startswith(SOURCE))


def oriented(images: Tensor, degrees: float) -> tuple[Tensor, float]:
    """Images turned clockwise by quarters, which loses nothing, and what is left (±45°)."""
    quarters = round(degrees / 90)
    # Rows count upwards, so that torch's turn (first axis towards the second) is clockwise.
    turned = torch.rot90(images, quarters, dims=(-2, -1)) if quarters % 4 else images
    return turned.contiguous(), degrees - 90 * quarters
