"""An encoding and a network make a density: block by block, positive, zero outside the box."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product, starmap
from math import ceil, expm1, inf, log
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.geometry import Grid
from tomoinr.options import option
from tomoinr_inr.anew import Anew, Block, Evaluate, Group, Pieces, joined
from tomoinr_inr.frame import Axes, Frame
from tomoinr_inr.network import Network, Precision

Tiles = Callable[[int, int], Pieces]

CACHED = 1 << 11  # points whose features stay in a core's cache: a third faster than all at once
CHUNK = 1 << 18  # points at a time on a GPU, where no gradient keeps them
# Bytes of activations kept for the gradient of a call, by device, counted as on a lattice; those
# of further points are computed anew, which costs a twentieth to a quarter more time.
KEPT = {"cpu": 1 << 25, "cuda": 1 << 33}
WORTH = 1 / 8  # of a call's points: of fewer, activations are not kept, since little time is saved


class Encoding(nn.Module, ABC):
    """The first layer: coordinates → features.

    `block` scattered points at a time suit a CPU: with tables, many, since the gradient of each
    block is as large as they are. There, pieces for `together` points of a lattice, about, are made
    at a time.
    """

    block: ClassVar[int] = CACHED
    together: ClassVar[float] = inf

    @abstractmethod
    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (features, n)."""

    @abstractmethod
    def on(self, axes: Axes, high: int, deep: int, sparse: bool = False) -> Tiles:
        """What `joined` makes features of, for tiles of a lattice: `high` slices, `deep` lines.

        Cut once, beforehand, since the gradient of every single cut is as large as the whole. With
        `sparse`, parameters' gradients may be sparse tensors.
        """

    @abstractmethod
    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (features, n)."""

    def cost(self) -> int:
        """Bytes kept for the gradient of one point, besides its features."""
        return 0


@dataclass(frozen=True)
class FieldOptions:
    """Options that all these volumes share."""

    positive: bool = option(True, "no density below zero (softplus)")
    sharpness: float = option(10.0, "how abruptly softplus bends, per unit of density", low=0.1)
    start: float = option(
        0.05, "typical density at the start, in units of the typical one", low=1e-3
    )
    precision: Precision = option("auto", "of hidden layers: half is bfloat16; auto: half on a GPU")


class Field(nn.Module):
    """A density in the box of a grid."""

    def __init__(
        self, options: FieldOptions, grid: Grid, encoding: Encoding, network: Network
    ) -> None:
        super().__init__()
        self._options, self._frame = options, Frame.of(grid)
        self.encoding, self.network = encoding, network
        nn.init.constant_(network.offset, self._inverse(options.start))

    def density(self, points: Tensor) -> Tensor:
        """Density at points (..., 3) in Å: (..., channels)."""
        unit, inside = self._frame.points(points.reshape(-1, 3))
        size = self._block(unit.device, unit.shape[1], self.encoding.block)
        learnt, parts = tuple(self.encoding.parameters()), unit.split(size, dim=1)
        groups = (Block(self._at, (part, *learnt), size).alone() for part in parts)
        values = self._evaluate(groups, unit.shape[1]).mul_(inside)
        return values.T.reshape(*points.shape[:-1], len(values))

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on some (or all) slices of a lattice: (channels, slices, z, x)."""
        axes, inside = self._frame.lattice(grid, slices, self.network.last.device)
        most = self.encoding.together if inside.device.type == "cpu" else inf
        together = max(1, int(min(most, inside.numel()) / inside[0].numel()))
        learnt = tuple(self.encoding.parameters())
        parts = (axes._replace(y=y) for y in axes.y.split(together))
        groups = (Group(partial(self._tiles, part), learnt) for part in parts)
        values = self._evaluate(groups, inside.numel()).mul_(inside.flatten())
        return values.reshape(-1, *inside.shape)

    def _tiles(self, axes: Axes, sparse: bool, *learnt: Tensor) -> list[Block]:
        """A lattice in tiles that are blocks."""
        nx, ny, nz = map(len, axes)
        lines = max(1, self._block(axes.x.device, nx * ny * nz, CACHED) // nx)
        high, deep = min(ny, max(1, lines // nz)), min(nz, lines)
        pieces = starmap(
            self.encoding.on(axes, high, deep, sparse),
            product(range(ceil(ny / high)), range(ceil(nz / deep))),
        )
        return [Block(self.encoding.joined, some, high * deep * nx) for some in pieces]

    def _evaluate(self, groups: Iterator[Group], points: int) -> Tensor:
        """The values of groups of points, joined: (channels, points)."""
        if not torch.is_grad_enabled():
            return joined(self._values(), groups, self.network.last, points)
        evaluate, parts, done, nominal = self._values(), [], 0, 0
        worth = self._keeps(int(points * WORTH))
        for group in groups:
            if not worth:
                return self._anew([group, *groups], points)
            for block in (blocks := iter(group.blocks())):
                nominal += block.points
                if not self._keeps(nominal):
                    left = [one.alone() for one in (block, *blocks)]
                    parts.append(self._anew([*left, *groups], points - done))
                    break
                parts.append(evaluate(block))
                done += parts[-1].shape[1]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def _values(self) -> Evaluate:
        """What makes a block its values, with weights made ready once."""
        layers = self.network.layers()
        return lambda block: self._positive(layers(block.features()))

    def _at(self, unit: Tensor, *learnt: Tensor) -> Tensor:
        """Features of scattered points, made of these and of what is learnt."""
        return self.encoding.at(unit)

    def _anew(self, groups: list[Group], points: int) -> Tensor:
        """Values that keep nothing for the gradient but what they are made of."""
        weights = tuple(self.network.parameters())
        sources = (source for group in groups for source in group.sources)
        made_of = {id(source): source for source in (*sources, *weights)}
        values: Tensor = Anew.apply(
            self._values, weights, groups, points, self.network.last, *made_of.values()
        )
        return values

    def _block(self, device: torch.device, points: int, on_cpu: int) -> int:
        """How many points to evaluate at a time."""
        if device.type == "cpu":
            return on_cpu
        together = torch.is_grad_enabled() and self._keeps(points)
        return max(points, 1) if together else CHUNK

    def _keeps(self, points: int) -> bool:
        """Whether the activations of so many points may be kept, if a gradient needs them.

        Then the encoding's gradient is there once more, beside that of points computed anew.
        """
        allowed = KEPT.get(self.network.last.device.type, KEPT["cpu"])
        cost = self.encoding.cost() + self.network.cost()
        slopes = sum(p.nbytes for p in self.encoding.parameters())
        return not torch.is_grad_enabled() or points * cost + slopes <= allowed

    def _positive(self, values: Tensor) -> Tensor:
        if not self._options.positive:
            return values
        return functional.softplus(values, beta=self._options.sharpness)

    def _inverse(self, density: float) -> float:
        """The network's output that means this density."""
        if not self._options.positive:
            return density
        return log(expm1(self._options.sharpness * density)) / self._options.sharpness
