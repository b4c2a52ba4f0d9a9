"""Some slices of a volume on finer voxels, with what is around them held as it is."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tomoinr.builtin.auto.balance import Even, as_it_is
from tomoinr.builtin.auto.band import cropped
from tomoinr.builtin.auto.box import gathered, spread
from tomoinr.builtin.pose_steps import slopes
from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.rows import predicted
from tomoinr.builtin.slabs import seeing, sight, slab_of, within
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Problem, Projector

MARGIN = 6  # slices (of pixels) on either side that are found as well, and then left to others


class Piece:
    """The slices `core` of a problem, and a few beside them, `finer` times as fine.

    Its images are the rows that see them, evened out, less what the rest of the volume puts there.
    `projector` is one for voxels of that size: pieces share its matrices.
    """

    def __init__(
        self,
        whole: Problem,
        core: slice,
        finer: int,
        projector: Projector,
        even: Even = as_it_is,
    ) -> None:
        self.core, self._whole, self._finer = core, whole, finer
        first, last = core.start - MARGIN, core.stop + MARGIN
        self._held = slice(max(first, 0), min(last, whole.grid.shape[0]))
        self.rows = _rows(whole, self._held)
        seen = cropped(whole, self.rows)
        series = even(seen.series)
        images = series.images - self._around(seen)
        self.problem = moved_to(
            replace(seen, series=replace(series, images=images), projector=projector),
            slab_of(whole.grid, self._held).finer(finer),
            images.device,
        )
        with torch.no_grad():
            self._fine.copy_(spread(self._coarse[:, self._held], finer))

    def finish(self) -> None:
        """What was found goes into the volume."""
        with torch.no_grad():
            own = self._fine[:, self._core_of_fine()]
            part = self._coarse[:, self.core]
            part.copy_(gathered(own, part.shape))

    @torch.no_grad()
    def shown(self, kinds: int) -> Tensor:
        """What the core adds to these rows, then its slopes; what is beside it is forgotten."""
        core, pixels = self._core_of_fine(), Pixels.rows(self.problem.series.shape)
        self._fine[:, : core.start] = self._fine[:, core.stop :] = 0
        seen = predicted(self.problem)[None]
        if not kinds:
            return seen
        return torch.cat((seen, slopes(self.problem, pixels.to(seen.device), kinds)))

    @property
    def _fine(self) -> Tensor:
        (parameter,) = self.problem.volume.parameters()
        return parameter

    @property
    def _coarse(self) -> Tensor:
        (parameter,) = self._whole.volume.parameters()
        return parameter

    def _core_of_fine(self) -> slice:
        core = within(self.core, self._held)
        return slice(core.start * self._finer, core.stop * self._finer)

    @torch.no_grad()
    def _around(self, seen: Problem) -> Tensor:
        """What slices that are not held put into these rows."""
        here = self._coarse[:, self._held]
        kept = here.clone()
        here.zero_()
        shown = predicted(seen)
        here.copy_(kept)
        return shown


def _rows(problem: Problem, held: slice) -> slice:
    """Detector rows that see some of these slices, in any view; one at least."""
    pixels = Pixels.rows(problem.series.shape).to(problem.series.images.device)
    rows = seeing(sight(problem, pixels), held)
    return rows if rows.stop else slice(0, 1)
