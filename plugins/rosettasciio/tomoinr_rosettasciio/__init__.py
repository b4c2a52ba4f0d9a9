"""Files of microscopes' own formats, read by rosettasciio: asked once all other readers passed."""

from __future__ import annotations

from pathlib import Path

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import Preparation
from tomoinr.stack import Stack
from tomoinr_rosettasciio.kinds import kind_of
from tomoinr_rosettasciio.library import require
from tomoinr_rosettasciio.reading import read


@hookimpl(trylast=True)
def tomoinr_read(path: Path, pixel_size: float | None) -> Stack | None:
    """Images of DigitalMicrograph, Velox, Bruker, TIA and more; read when they are asked for."""
    kind = kind_of(path)
    return read(path, kind, pixel_size) if kind else None


@hookimpl
def tomoinr_preparations() -> list[type[Preparation]]:
    """None: asked when plugins are collected, which is when a missing library is to be told."""
    require()
    return []
