"""Which axes of an array of images are channels, images, rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tomoinr.errors import TomoinrError


@dataclass(frozen=True)
class Planes:
    """Places of the axes of images and channels before rows and columns; `None`: there is none."""

    lead: tuple[int, ...]
    stack: int | None
    channel: int | None

    @classmethod
    def of(cls, path: Path, axes: Sequence[str], shape: Sequence[int]) -> Planes:
        """From one letter for each axis: `c` is channels, `y` and `x` close, one other is left."""
        letters = "".join(axes).lower()
        if len(letters) != len(shape) or not letters.endswith("yx"):
            raise TomoinrError(
                f"{path}: its axes are '{letters}' of lengths {tuple(shape)}; a tilt series ends "
                "with rows and columns (y, x), in grey values"
            )
        long = [i for i, length in enumerate(shape[:-2]) if length > 1]
        channels, stacks = ([i for i in long if (letters[i] == "c") is c] for c in (True, False))
        if not stacks:  # the images were saved as channels
            channels, stacks = stacks, channels
        if len(stacks) > 1 or len(channels) > 1:
            raise TomoinrError(
                f"{path}: has several axes of images, '{letters}' of lengths {tuple(shape)}; "
                "save one series of images"
            )
        return cls(tuple(shape[:-2]), *(next(iter(found), None) for found in (stacks, channels)))

    @property
    def images(self) -> int:
        """How many images there are."""
        return 1 if self.stack is None else self.lead[self.stack]

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return 1 if self.channel is None else self.lead[self.channel]

    def index(self, image: int) -> tuple[int | slice, ...]:
        """Where an image is, with all its channels."""
        kinds: dict[int | None, int | slice] = {self.stack: image, self.channel: slice(None)}
        return tuple(kinds.get(axis, 0) for axis in range(len(self.lead)))

    def numbers(self, image: int) -> list[int]:
        """The places of its channels, where all planes lie one after the other."""
        every = np.arange(math.prod(self.lead)).reshape(self.lead)
        return [int(number) for number in np.atleast_1d(every[self.index(image)])]
