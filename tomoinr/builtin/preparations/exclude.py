"""Images that are better left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tomoinr.builtin.preparations.images import noted
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Preparation
from tomoinr.options import option


class Exclude(Preparation):
    """Images left out: by their numbers in the file, or beyond limits of the tilt."""

    name = "exclude"

    @dataclass(frozen=True)
    class Options:
        """Options of exclusion."""

        sections: int | tuple[int, ...] = option(
            (), "their numbers in the file, from 0: one, or a list", low=0
        )
        below: float | None = option(None, "degrees: images tilted less than this, with the sign")
        above: float | None = option(None, "degrees: images tilted more than this, with the sign")

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, series: TiltSeries) -> TiltSeries:
        """The others, with their angles and numbers."""
        o = self.options
        given = (o.sections,) if isinstance(o.sections, int) else o.sections
        for unknown in sorted(set(given) - set(series.sections)):
            raise TomoinrError(f"{series.source}: there is no image {unknown} to exclude")
        low = -math.inf if o.below is None else o.below
        high = math.inf if o.above is None else o.above
        pairs = list(zip(series.sections, series.angles.tolist(), strict=True))
        stays = [section not in given and low <= angle <= high for section, angle in pairs]
        if sum(stays) < 2:
            raise TomoinrError(
                f"{series.source}: exclude would leave {sum(stays)} of {len(stays)} images; "
                "a tilt series needs two at least"
            )
        out = [str(section) for (section, _), kept in zip(pairs, stays, strict=True) if not kept]
        note = f"images left out: {', '.join(out) or 'none'}"
        return noted(series.select(stays), note)
