"""What the fused solver found, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tomoinr.builtin.fused.leading import recorded, told
from tomoinr.interfaces import Problem

if TYPE_CHECKING:
    from tomoinr.builtin.fused.solver import FusedState


def notes(problem: Problem, state: FusedState) -> Iterator[str]:
    """The leading channel's first, then a line for each other, then their sum."""
    series = problem.series
    yield told(series, state.first.channels)
    yield from (f"{series.channels[state.lead]}: {note}" for note in state.first.notes)
    coupling = state.coupling
    if coupling is None or state.iterates is None:
        return
    for place, channel in enumerate(state.others):
        counting, images = state.iterates.signals[place].counting, series.channel(channel).images
        # A channel that weighs more is counted as often as its pixels are.
        level = float(images.mean()) / counting.gain / recorded(series)[channel].weight
        extra = f" and read-out noise of {counting.background:.3g} more" * (counting.background > 0)
        yield (
            f"{series.channels[channel]}: {level:.3g} counts a pixel{extra}; edges kept down by "
            f"{coupling.cautions[place]:.2g} standard errors of a voxel"
        )
    if coupling.joint:
        yield "edges of the other channels are kept down together: they have them in common"
    lead = series.channels[state.lead]
    if coupling.mixture is None or not coupling.sum_weight:
        yield f"the channels' sum does not help to predict counts: {lead} gives edges only"
        return
    parts = coupling.mixture.parts.tolist()
    told_ = " + ".join(
        f"{part:.3g} {series.channels[c]}" for part, c in zip(parts, state.others, strict=True)
    )
    yield (
        f"{lead} is taken for ({told_})^{coupling.mixture.power:g}, in counts a pixel of depth; "
        f"{coupling.mixture.misfit:.0%} of it (rms) is left unexplained"
    )
