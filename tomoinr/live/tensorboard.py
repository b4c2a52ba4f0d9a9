"""A run's course for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from tomoinr.data import Record
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Problem
from tomoinr.live.budget import Budget
from tomoinr.live.moment import Moment
from tomoinr.live.pace import Pace
from tomoinr.live.planes import NAMES, greys, planes
from tomoinr.live.watch import Watch, ended

EVERY = 10.0  # seconds between slices


class TensorBoard(Watch):
    """An observer that logs losses, speed, motion of the poses, and now and then slices.

    A run that goes on in the same folder replaces what was logged of the steps it does again.
    """

    def __init__(self, folder: str | Path, speaks: bool = True, every: float = EVERY) -> None:
        super().__init__(speaks)
        self._make = _writer()
        self._folder, self._budget = Path(folder), Budget(every)
        self._board: Any = None
        self._texts: list[tuple[str, str]] = []

    def recipe(self, table: Mapping[str, Any]) -> None:
        """Log a recipe, as text."""
        self._texts.append(("recipe", f"```toml\n{tomli_w.dumps(dict(table))}```"))

    def _open(self) -> None:
        """Files come with the first step, which may not be number one."""

    def _stepped(self, moment: Moment, problem: Problem) -> None:
        record = moment.record
        assert record
        if self._board is None:
            self._board = self._make(str(self._folder), purge_step=max(0, record.step))
        for name, value in _numbers(record, self._pace):
            self._board.add_scalar(name, value, record.step)
        if self._budget.due or ended(record):
            with self._budget.spent():
                for name, picture in zip(NAMES, greys(planes(problem)), strict=True):
                    pixels = np.asarray(picture)
                    self._board.add_image(f"slices/{name}", pixels, record.step, dataformats="HW")
        self._write_texts(record.step)

    def _show(self, moment: Moment) -> None:
        """Work without steps has no place on their axis."""

    def _close(self, how: str) -> None:
        if self._board:
            self._write_texts(self._pace.last.step if self._pace.last else 0)
            self._board.close()
            self._board = None

    def _write_texts(self, step: int) -> None:
        while self._texts:
            name, text = self._texts.pop()
            self._board.add_text(name, text, step)


def _numbers(record: Record, pace: Pace) -> Iterator[tuple[str, float]]:
    """What is known, by the name it goes under."""
    known = {
        "loss": record.loss,
        "validation": record.validation,
        "poses moved (px)": record.moved,
        "steps a second": pace.speed,
    }
    yield from ((name, value) for name, value in known.items() if value is not None)


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TomoinrError(
            "TensorBoard is not installed: pip install 'tomoinr[tensorboard]'"
        ) from None
    return SummaryWriter
