"""The automatic solver's plan: which stages, on which lattice, with how many steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tomoinr.builtin.auto.find_poses import NEAR, FindPoses
from tomoinr.builtin.auto.fineness import Lattice
from tomoinr.builtin.auto.finer_pieces import FinerPieces
from tomoinr.builtin.auto.options import AutoOptions
from tomoinr.builtin.auto.piecewise import Piecewise
from tomoinr.builtin.auto.sharpen import Others, Sharpen
from tomoinr.builtin.auto.stage import Stage
from tomoinr.interfaces import Problem
from tomoinr.team import Team

Due = tuple[int, Callable[..., Stage]]  # so many steps, and what makes a stage of them


def plan(
    problem: Problem, team: Team, options: AutoOptions, others: Others | None, on: Lattice
) -> list[Stage]:
    """A preview, a search for poses if they are free, a second preview, rounds on finer voxels.

    Where finer voxels are not all there at once, as many steps go into two passes over them, after
    half the rounds on the images' own lattice. Where these are not all there either, half as many
    rounds of twice the steps go over them, since a piece sets out without duals.
    """
    planned = _Plan(problem, team, options, others, on)
    outline = planned.previews()
    if any(p.requires_grad for p in problem.poses.parameters()):
        outline.insert(1, planned.search())
    outline += planned.rounds()
    lengths = _fitted([steps for steps, _ in outline], options.steps)
    return [make(steps=n) for n, (_, make) in zip(lengths, outline, strict=True) if n]


@dataclass(frozen=True)
class _Plan:
    problem: Problem
    team: Team
    options: AutoOptions
    others: Others | None
    on: Lattice

    def previews(self) -> list[Due]:
        """On the images' own lattice."""
        half = self.options.preview // 2
        return [self._sharpen(half, finer=1, name=f"preview {i} of 2") for i in (1, 2)]

    def search(self) -> Due:
        """For poses that are far off."""
        # Where another run moves most of the poses, the rest are always searched for.
        near = 0.0 if self.others is None else NEAR
        capture = self.options.capture
        return self.options.pose_steps, partial(
            FindPoses, self.problem, self.team, capture=capture, near=near
        )

    def rounds(self) -> list[Due]:
        """On the finest lattice; on plain voxels first, where it comes in pieces."""
        steps = self.options.rounds * self.options.round_steps
        if not self.on.together:
            return self._passes(steps, self.options.rounds, self.on.finer)
        rounds = self.options.rounds // 2
        first = self._passes(rounds * self.options.round_steps, rounds, finer=1)
        passed = partial(self._in_pieces, FinerPieces, self.on.together, max(steps // 2, 1))
        return first + [
            passed(finer=self.on.finer, name=f"finer voxels, pass {i} of 2", followed=i == 1)
            for i in (1, 2)
        ]

    def _passes(self, steps: int, rounds: int, finer: int) -> list[Due]:
        """So many steps in so many rounds, or in half as many if they go over pieces."""
        rounds = -(-rounds // 2) if finer == 1 and self.on.plain else rounds
        return [
            self._sharpen(steps // rounds, finer=finer, name=f"round {i} of {rounds}", asks=i == 1)
            for i in range(1, rounds + 1)
        ]

    def _sharpen(self, steps: int, finer: int, **options: Any) -> Due:
        """On one lattice: the images' own in pieces if it must be, a finer one whole."""
        options["finer"] = finer
        if finer == 1 and self.on.plain:
            return self._in_pieces(Piecewise, self.on.plain, steps, **options)
        return steps, self._made(Sharpen, **options)

    def _in_pieces(self, cls: type[Piecewise], together: int, steps: int, **options: Any) -> Due:
        """So many steps on each of the pieces."""
        parts = -(-self.problem.grid.shape[0] // together)
        return parts * steps, self._made(cls, parts=parts, **options)

    def _made(self, cls: type[Sharpen], **options: Any) -> Callable[..., Stage]:
        given = self.options
        return partial(
            cls,
            self.problem,
            self.team,
            caution=given.caution,
            balance=given.balance,
            others=self.others,
            **options,
        )


def _fitted(lengths: list[int], steps: int) -> list[int]:
    """Stages shortened or lengthened in proportion to `steps` in all; 0: as they are."""
    if steps == 0:
        return lengths
    ends = [round(steps * sum(lengths[: i + 1]) / sum(lengths)) for i in range(len(lengths))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
