"""What the commands say while they work, unless they are to be quiet."""

from __future__ import annotations

from tomoinr import live
from tomoinr.cli.talk import TOLD, silent


class Progress(live.Progress):
    """Stages, speed, losses and time left; every line that stays goes to the log too."""

    def __init__(self, speaks: bool = True) -> None:
        super().__init__(speaks and not silent())

    def tell(self, line: str) -> None:
        """One line that stays."""
        super().tell(line)
        TOLD.info(line)
