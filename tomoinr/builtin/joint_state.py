"""What the joint solver keeps between steps: the data it sees, optimisers, noise, averages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tomoinr.builtin.averaging import Average
from tomoinr.builtin.losses import NEEDS_NOISE, PixelNoise
from tomoinr.builtin.memory import give_back
from tomoinr.builtin.optimisers import Optimisers
from tomoinr.builtin.pose_steps import propose
from tomoinr.builtin.ramp import ramp
from tomoinr.builtin.scales import halved
from tomoinr.builtin.shares import shares
from tomoinr.builtin.slabs import sight
from tomoinr.builtin.stopping import Stopping
from tomoinr.builtin.sweep import Sweep
from tomoinr.builtin.thinning import thinned
from tomoinr.geometry import Pixels
from tomoinr.interfaces import Ability, Problem
from tomoinr.team import Team

if TYPE_CHECKING:
    from tomoinr.builtin.joint import Joint

RAMP_FLOOR = 0.05  # of the ramp, so that a row's mean is not forgotten
HALF_SIZE = 0.3  # part of the run that works on half the size, where that pays
AT_ONCE = 1 << 20  # voxels that a CPU projects at a time, about
CALIBRATED = (0.4, 0.6, 0.8)  # parts of the run after which noise is measured anew


class JointState:
    """The data as seen now, optimisers and their schedules, the noise, averaged weights."""

    def __init__(
        self, problem: Problem, options: Joint.Options, team: Team, notes: tuple[str, ...] = ()
    ) -> None:
        images = problem.series.images
        self.step, self.notes = 0, notes
        self.unit = float(images.std()) or 1.0
        self.shares = shares(problem.series)
        self.budget = options.batch or 8 * problem.series.shape[0] * problem.series.shape[2]
        self.linear = Ability.LINEAR in problem.volume.abilities
        self._options = options
        self._half_steps = _half_steps(self.linear, options)
        self._volume = list(problem.volume.parameters())
        self._poses = list(problem.poses.parameters())
        self._average = Average(
            self._parameters(), options.average, None if options.patience else options.steps
        )
        self._optimisers = Optimisers(problem, options, self._average)
        self.stopping = None
        self._whole = problem
        if options.patience:
            filtered = round(max(options.half_ramp, options.blur_until) * options.steps)
            settled = max(filtered, self._half_steps)
            self.stopping = Stopping(problem.series, self._average, options, settled)
            kept = replace(problem.series, images=thinned(images, problem.seed))
            self._whole = replace(problem, series=kept)
        self._half = halved(self._whole) if self._half_steps else self._whole
        self._sweep = Sweep.where_it_pays(self._whole, self._optimisers, team)
        self.noise = PixelNoise.even(images, self.unit)
        self._apart = False  # whether this batch comes in portions
        self.moved: Tensor | None = None  # pixels, rms: by which the last step moved poses

    @property
    def problem(self) -> Problem:
        """The one that this step works on: half as fine at first, if so wanted."""
        if self.step < self._half_steps:
            return self._half
        return self._sweep.problem if self._sweep else self._whole

    @property
    def stopped(self) -> bool:
        """Whether the held-out noise says that this is enough."""
        return self.stopping is not None and self.stopping.stopped

    @property
    def stage(self) -> str:
        """What the last step learned."""
        done = self.step - 1
        moving = self._poses and done >= self._options.pose_start * self._options.steps
        size = ", at half the size" if done < self._half_steps else ""
        return ("volume and poses" if moving else "volume") + size

    @property
    def validation(self) -> float | None:
        """The last loss on held-out noise, if any was held out."""
        seen = self.stopping.history if self.stopping else ()
        return seen[-1][1] if seen else None

    def begin(self, team: Team) -> None:
        """Step sizes of this moment, and the noise where a loss needs it."""
        if self.step == self._half_steps > 0:
            self._half.projector.forget()
            self._half = self._whole
        self._optimisers.schedule(self._progress)
        self._average.begin(self.step + 1)
        if self._sweeping:
            self._sweeping.begin()
        if self._options.loss in NEEDS_NOISE:
            self._measure(team)

    def _measure(self, team: Team) -> None:
        """From new images alone at first; now and then anew, with what the model leaves."""
        images = self.problem.series.images
        if self.step in (0, self._half_steps):
            self.noise = PixelNoise.of(images, self.unit)
        elif self.step in (round(part * self._options.steps) for part in CALIBRATED):
            self.noise = self.noise.again(images, _explained(self.problem, team))

    def response(self, width: int) -> Tensor:
        """The weight of each frequency of a residual's row, at this moment."""
        o = self._options
        f = torch.linspace(0, 1, width + 1)
        weight = torch.ones_like(f)
        if self._progress < o.half_ramp:
            weight = (2 * ramp(width)).clamp(min=RAMP_FLOOR).sqrt()
        left = 1 - self._progress / max(o.blur_until, 1e-9)
        if self._poses and left > 0:
            blur = o.blur * left * width / self._whole.series.shape[2]
            weight = weight * torch.exp(-2 * (math.pi * blur * f / 2) ** 2)
        return weight

    def portions(self, pixels: Pixels) -> Iterator[Pixels]:
        """Rows of a batch so few that the slices they see take little memory.

        Every gradient of a lattice's own values is as large as all of it, so there it does not pay,
        unless they are swept: then slices that no row to come sees move on the way.
        """
        dense = self.linear and not self._sweeping
        if dense or pixels.row.device.type != "cpu" or len(pixels.shape) < 3:
            yield from [pixels] if len(pixels) else []
            return
        low, high = sight(self.problem, pixels)
        seen = (high - low).cumsum(0) * math.prod(self.problem.grid.shape[1:])
        _, together = (seen // AT_ONCE).unique_consecutive(return_counts=True)
        self._apart = len(together) > 1
        for rows in torch.arange(len(pixels)).split(together.tolist()):
            first, last = int(rows[0]), int(rows[-1])
            if self._sweeping:
                self._sweeping.leave(int(low[first:].min()))
            yield pixels.part(slice(first, last + 1))
            if not self._sweeping:  # few pieces, and little to do, in which this would show
                self.make_room()

    def make_room(self) -> None:
        """The many small pieces that were freed on the way through a portion go back at once.

        On the way forward they are others than on the way back; where all pixels come together,
        they are few.
        """
        if self._apart:
            give_back()

    def gradients(self) -> list[Tensor]:
        """The gradients of all that moves at the end of a step, zeros where there were none."""
        swept = self._sweeping.parameter if self._sweeping else None
        moving = [p for p in self._parameters() if p is not swept]
        for p in moving:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        return [p.grad for p in moving if p.grad is not None]

    @torch.no_grad()
    def update(self, team: Team) -> None:
        """Move, average, and judge; at the end, settle."""
        before = [pose.clone() for pose in self._poses]
        if self._sweeping:
            self._sweeping.finish()
        self._optimisers.step()
        self._optimisers.zero_grad()  # which frees as much as the volume takes
        self.moved = _distance(before, self._poses)
        self.step += 1
        self._average.update()
        if self.stopping is not None:
            self.stopping.update(self.step, self._whole, self.budget, self.unit, team)
            if self.stopping.stopped:
                self.stopping.finish()
        elif self.step == self._options.steps and self._average.begun:
            self._average.apply()

    def refine(self, team: Team) -> None:
        """A round of pose refinement, if it is time: every image against the whole volume."""
        if self._poses and self.step in _rounds(self._options):
            problem = self.problem
            change = propose(problem, team, torch.ones_like(problem.series.images))
            change.accept(problem.poses)

    def state_dict(self) -> dict[str, Any]:
        """Step, optimisers, average, noise, and what was held out."""
        return {
            "step": self.step,
            "optimisers": self._optimisers.state_dict(),
            "average": self._average.state_dict(),
            "noise": self.noise.state_dict(),
            "stopping": self.stopping.state_dict() if self.stopping else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])
        self._optimisers.load_state_dict(state["optimisers"])
        self._average.load_state_dict(state["average"])
        noise = {name: found.to(self.noise.gain) for name, found in state["noise"].items()}
        self.noise = PixelNoise(self.unit, **noise)
        if self.stopping:
            self.stopping.load_state_dict(state["stopping"])

    @property
    def _progress(self) -> float:
        return self.step / self._options.steps

    @property
    def _sweeping(self) -> Sweep | None:
        """What moves slices during this step, if anything does."""
        return None if self.step < self._half_steps else self._sweep

    def _parameters(self) -> list[nn.Parameter]:
        return [*self._volume, *self._poses]


def _distance(before: list[Tensor], after: list[nn.Parameter]) -> Tensor | None:
    """RMS over what is learned of poses, whose unit is about a pixel; none where they are held."""
    if not after:
        return None
    moves = [(new - old).flatten() for old, new in zip(before, after, strict=True)]
    return torch.cat(moves).square().mean().sqrt()


def _rounds(options: Joint.Options) -> set[int]:
    """After which steps poses are refined: evenly over the second half, not at its ends."""
    count, half = options.pose_rounds, options.steps / 2
    return {round(half + half * (k + 1) / (count + 1)) for k in range(count)}


def _half_steps(linear: bool, options: Joint.Options) -> int:
    """How many steps work on half the size; voxels, a lattice themselves, gain nothing by it."""
    part = options.half_size
    if part is None:
        part = 0.0 if linear else HALF_SIZE
    return round(part * options.steps)


@torch.no_grad()
def _explained(problem: Problem, team: Team) -> Tensor:
    """The whole prediction, each rank computing some of the rows: (channels, *series.shape)."""
    rows = Pixels.rows(problem.series.shape)
    mine = rows.part(team.share(len(rows))).to(team.device)
    channels, (tilts, _, columns) = len(problem.series.channels), problem.series.shape
    part = problem.series.images.new_zeros(channels, tilts, 0, columns)
    if len(mine):
        part = problem.predict(mine)
    return team.gather(part.movedim(2, 0).contiguous()).movedim(0, 2)
