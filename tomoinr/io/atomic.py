"""Files and folders that appear whole or not at all, and replace nothing unless forced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from tomoinr.errors import TomoinrError, reason


@contextmanager
def atomic(path: Path, force: bool = False) -> Iterator[Path]:
    """A temporary name beside `path`, with its suffix, that becomes `path` once it is complete.

    A file or a folder may be made under that name.
    """
    check_free(path, force)
    if not path.parent.is_dir():
        raise TomoinrError(f"{path}: there is no such folder; make it first")
    temporary = _beside(path)
    try:
        yield temporary
        _sync(temporary)
        _publish(temporary, path, force)
    except OSError as error:
        raise TomoinrError(f"{path}: cannot be written: {reason(error)}") from error
    finally:
        _remove(temporary)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """A folder, made where it is not there; it goes again if what is to be in it fails."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # one that holds something stays
            for path in new:
                path.rmdir()
        raise


def publish(texts: Mapping[Path, str], force: bool = False) -> None:
    """Several text files; none appears before all are written."""
    with ExitStack() as files:
        for path, text in texts.items():
            files.enter_context(atomic(path, force)).write_text(text, "utf-8")


def check_free(path: Path, force: bool) -> None:
    """Refuse a name that is taken, unless forced."""
    if os.path.lexists(path) and not force:
        raise _taken(path)


def _taken(path: Path) -> TomoinrError:
    return TomoinrError(
        f"{path}: already exists; name another, or replace it (--force, in Python force=True)"
    )


def _beside(path: Path) -> Path:
    """A hidden name that nothing has, with the same suffix."""
    return path.with_name(f".{path.stem}-{uuid4().hex[:8]}{path.suffix}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a read-only file system refuses even what is not there
        path.unlink()


def _sync(path: Path) -> None:
    """Wait until the bytes are on the disk, where a full disk shows at the latest."""
    for name in path.rglob("*") if path.is_dir() else (path,):
        if name.is_file():
            with name.open("rb+") as file:
                os.fsync(file.fileno())


def _publish(temporary: Path, path: Path, force: bool) -> None:
    if temporary.is_dir():
        _publish_folder(temporary, path, force)
        return
    if force:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)  # unlike a rename it never replaces what came in between
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without hard links
        check_free(path, force)
        os.rename(temporary, path)


def _publish_folder(temporary: Path, path: Path, force: bool) -> None:
    """Rename it; what it replaces is put aside first, and put back if that fails."""
    check_free(path, force)
    if not os.path.lexists(path):
        os.rename(temporary, path)
        return
    aside = _beside(path)
    os.rename(path, aside)
    try:
        os.rename(temporary, path)
    except OSError:
        os.rename(aside, path)
        raise
    _remove(aside)
