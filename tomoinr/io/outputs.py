"""Where results are to go: found out before the work, for which it would be a pity afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import torch

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, reason
from tomoinr.io.atomic import check_free
from tomoinr.plugins import Plugins

# Writers do not list their suffixes; of these, those that some writer takes are told.
COMMON = (
    ".mrc", ".st", ".ali", ".rec", ".mrcs",
    ".h5", ".hdf5", ".emd", ".tif", ".tiff", ".npz", ".zarr",
)  # fmt: skip


def check_folder(folder: Path, names: Iterable[str], force: bool) -> None:
    """Refuse what cannot be a folder for results, or holds some of these already unless forced."""
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise TomoinrError(f"{there}: this is a file; name a folder for the results")
    for name in names:
        check_free(folder / name, force)
    _check_writable(there, folder)


def check_file(
    path: Path,
    force: bool,
    source: str = "",
    beside: Iterable[Path] = (),
    plugins: Plugins | None = None,
) -> None:
    """Refuse a file that could not be saved: its folder, its suffix, what is there already.

    `source` is the data's own file, `beside` are files that are written with it.
    """
    check_free(path, force)
    for other in beside:
        if os.path.lexists(other) and not force:
            raise TomoinrError(
                f"{other}: already exists, and {path.name} comes with a file of that name: give it "
                "another stem, or replace both (--force, in Python force=True)"
            )
    if not path.parent.is_dir():
        raise TomoinrError(f"{path}: there is no such folder; make it first")
    check_apart(path, source)
    check_suffix(path, plugins or Plugins())
    _check_writable(path.parent, path)


def check_apart(path: Path, source: str) -> None:
    """Refuse the data's own file."""
    if path.exists() and os.path.exists(source) and os.path.samefile(path, source):
        raise TomoinrError(f"{path}: this is the data's own file; save under another name")


def check_suffix(path: Path, plugins: Plugins) -> None:
    """Refuse a suffix that no writer knows."""
    if not _is_written(path.suffix, plugins):
        known = ", ".join(suffix for suffix in COMMON if _is_written(suffix, plugins))
        raise TomoinrError(
            f"{path}: no writer knows the suffix '{path.suffix}'; there are {known or 'none'}"
        )


def _is_written(suffix: str, plugins: Plugins) -> bool:
    """Whether some writer takes a file of that suffix: a small one is written and thrown away."""
    small = TiltSeries(torch.zeros(2, 2, 2), torch.arange(2))
    with TemporaryDirectory() as folder:
        try:
            return plugins.write(Path(folder) / f"trial{suffix}", small, "imod")
        except Exception:  # a stranger's: it knows the suffix, and may like larger images better
            return True


def _check_writable(folder: Path, asked: Path) -> None:
    """Refuse a folder that takes no file. Only trying tells: root may do what modes forbid."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise TomoinrError(
            f"{asked}: cannot be written: nothing can be made in {folder} ({reason(error)})"
        ) from None
