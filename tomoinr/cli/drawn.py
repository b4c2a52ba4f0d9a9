"""Where pictures go."""

from __future__ import annotations

from pathlib import Path

from tomoinr.errors import TomoinrError
from tomoinr.io.atomic import check_free

DRAWN = (".png", ".jpg", ".pdf", ".svg")


def check_picture(path: Path, force: bool) -> None:
    """Refuse, before anything is read, a picture that could not be written."""
    if path.suffix.lower() not in DRAWN:
        raise TomoinrError(f"{path}: no picture is drawn as '{path.suffix}'; name a .png")
    if not path.parent.is_dir():
        raise TomoinrError(f"{path}: there is no such folder; make it first")
    check_free(path, force)
