"""The folder that checkpoints lie in: the last two, each of them whole."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tomoinr.checkpoint.file import Contents, Damaged, read
from tomoinr.errors import TomoinrError
from tomoinr.io.atomic import atomic

KEPT = 2
NAME = re.compile(r"checkpoint-(\d{8,})\.safetensors")
UNFINISHED = ".checkpoint-*.safetensors"  # what was being written when a program was killed
MIB = 2.0**20


class Found(NamedTuple):
    """A checkpoint that can be used, and what it holds."""

    path: Path
    value: dict[str, Any]


class Folder:
    """Made when the first checkpoint is written, and gone with the last one."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def files(self) -> list[Path]:
        """The checkpoints, the latest first."""
        there = self.path.iterdir() if self.path.is_dir() else ()
        return sorted((p for p in there if NAME.fullmatch(p.name)), key=_step, reverse=True)

    def add(self, step: int, value: dict[str, Any]) -> None:
        """Write one; older ones than the last two go once it is safe."""
        contents = Contents(value)
        self._make()
        path = self.path / f"checkpoint-{step:08d}.safetensors"
        try:
            self._check_room(contents.size)
            with atomic(path, force=True) as temporary:
                contents.write(temporary)
        except TomoinrError as error:
            left = f"step {_step(files[0])} is still there" if (files := self.files()) else "none"
            raise TomoinrError(f"{error}; of earlier checkpoints, {left}") from error
        _sync_folder(self.path)
        for old in self.files()[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self, tell: Callable[[str], None]) -> Found | None:
        """The latest that is whole, if there are any; damaged ones are told of."""
        files = self.files()
        for path in files:
            try:
                return Found(path, read(path))
            except Damaged as error:
                tell(f"{error}; trying the one before")
        if files:
            raise TomoinrError(
                f"{self.path}: none of the {len(files)} checkpoints can be used; start from the "
                "beginning, with --force and without --resume"
            )
        return None

    def clear(self) -> None:
        """Remove the checkpoints, and the folder unless something else is in it."""
        self.sweep()
        for path in self.files():
            path.unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def sweep(self) -> None:
        """Remove what was never finished."""
        for path in self.path.glob(UNFINISHED):
            path.unlink(missing_ok=True)

    def _make(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(parents=True)
            _sync_folder(self.path.parent)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise TomoinrError(
                f"{self.path}: a checkpoint takes {needed / MIB:.1f} MiB, but {free / MIB:.1f} MiB "
                "are free: make room, then go on with --resume"
            )


def _step(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match
    return int(match[1])


def _sync_folder(path: Path) -> None:
    """Wait until the names in it are on the disk, where the system can."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
