"""An encoding and a network make a density: block by block, positive, zero outside the box."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product, starmap
from math import ceil, expm1, log
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tomoinr.geometry import Grid
from tomoinr.options import option
from tomoinr_inr.frame import Axes, Frame
from tomoinr_inr.network import Network, Precision

Pieces = tuple[Tensor, ...]
Tiles = Callable[[int, int], Pieces]
Evaluate = Callable[["Block"], Tensor]

CACHED = 1 << 11  # points whose features stay in a core's cache: a third faster than all at once
CHUNK = 1 << 18  # points at a time on a GPU, where no gradient keeps them
# Bytes of activations kept for the gradient of a call, by device, counted as on a lattice; those
# of further points are computed anew, which costs a twentieth to a quarter more time.
KEPT = {"cpu": 1 << 25, "cuda": 1 << 33}
WORTH = 1 / 8  # of a call's points: of fewer, activations are not kept, since little time is saved


class Encoding(nn.Module, ABC):
    """The first layer: coordinates → features.

    `block` scattered points at a time suit a CPU: with tables, many, since the gradient of each
    block is as large as they are.
    """

    block: ClassVar[int] = CACHED

    @abstractmethod
    def at(self, unit: Tensor) -> Tensor:
        """Features of points (3, n): (features, n)."""

    @abstractmethod
    def on(self, axes: Axes, high: int, deep: int) -> Tiles:
        """What `joined` makes features of, for tiles of a lattice: `high` slices, `deep` lines.

        Cut once, beforehand, since the gradient of every single cut is as large as the whole.
        """

    @abstractmethod
    def joined(self, *pieces: Tensor) -> Tensor:
        """Features of one tile: (features, n)."""

    def cost(self) -> int:
        """Bytes kept for the gradient of one point, besides its features."""
        return 0


class Block(NamedTuple):
    """So many points, how their features are made, and of which tensors."""

    encode: Callable[..., Tensor]
    sources: Pieces
    points: int

    def features(self) -> Tensor:
        """(features, n)"""
        return self.encode(*self.sources)


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
        blocks = (Block(self._at, (part, *learnt), size) for part in parts)
        values = self._evaluate(blocks, unit.shape[1]).mul_(inside)
        return values.T.reshape(*points.shape[:-1], len(values))

    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on some (or all) slices of a lattice: (channels, slices, z, x)."""
        axes, inside = self._frame.lattice(grid, slices, self.network.last.device)
        ny, nz, nx = inside.shape
        lines = max(1, self._block(inside.device, inside.numel(), CACHED) // nx)
        high, deep = min(ny, max(1, lines // nz)), min(nz, lines)
        joined, points = self.encoding.joined, high * deep * nx
        tiles = starmap(
            self.encoding.on(axes, high, deep),
            product(range(ceil(ny / high)), range(ceil(nz / deep))),
        )
        blocks = (Block(joined, pieces, points) for pieces in tiles)
        values = self._evaluate(blocks, inside.numel()).mul_(inside.flatten())
        return values.reshape(-1, *inside.shape)

    def _evaluate(self, blocks: Iterator[Block], points: int) -> Tensor:
        """The values of blocks of points, joined: (channels, points)."""
        if not torch.is_grad_enabled():
            return _joined(self._values(), blocks, self.network.last, points)
        evaluate, parts, done, nominal = self._values(), [], 0, 0
        worth = self._keeps(int(points * WORTH))
        for block in blocks:
            nominal += block.points
            if not (worth and self._keeps(nominal)):
                parts.append(self._anew([block, *blocks], points - done))
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

    def _anew(self, blocks: list[Block], points: int) -> Tensor:
        """Values that keep nothing for the gradient but what they are made of."""
        weights = tuple(self.network.parameters())
        pieces = (piece for block in blocks for piece in block.sources)
        made_of = {id(piece): piece for piece in (*pieces, *weights)}
        values: Tensor = _Anew.apply(
            self._values, len(weights), blocks, points, self.network.last, *made_of.values()
        )
        return values

    def _block(self, device: torch.device, points: int, on_cpu: int) -> int:
        """How many points to evaluate at a time."""
        if device.type == "cpu":
            return on_cpu
        together = torch.is_grad_enabled() and self._keeps(points)
        return max(points, 1) if together else CHUNK

    def _keeps(self, points: int) -> bool:
        """Whether the activations of so many points may be kept, if a gradient needs them."""
        allowed = KEPT.get(self.network.last.device.type, KEPT["cpu"])
        cost = self.encoding.cost() + self.network.cost()
        return not torch.is_grad_enabled() or points * cost <= allowed

    def _positive(self, values: Tensor) -> Tensor:
        if not self._options.positive:
            return values
        return functional.softplus(values, beta=self._options.sharpness)

    def _inverse(self, density: float) -> float:
        """The network's output that means this density."""
        if not self._options.positive:
            return density
        return log(expm1(self._options.sharpness * density)) / self._options.sharpness


class _Anew(torch.autograd.Function):
    """Values that are computed once more on the way back, as functions of what is `learnt`.

    Nothing else is left behind on the way forward, not even a node of a graph for each block:
    thousands of them between large tensors leave holes in a CPU's memory that nothing fits in any
    more. So do thousands of gradients, which is why all are summed up in one place. Tensors are
    saved, and blocks know their numbers, so that they are let go before their own graph is walked.
    """

    @staticmethod
    def forward(
        ctx: Any,
        ready: Callable[[], Evaluate],
        weights: int,
        blocks: list[Block],
        points: int,
        like: Tensor,
        *made_of: Tensor,
    ) -> Tensor:
        number = {id(one): i for i, one in enumerate(made_of)}
        ctx.blocks = [
            (block.encode, [number[id(source)] for source in block.sources], block.points)
            for block in blocks
        ]
        ctx.ready, ctx.weights = ready, range(len(made_of) - weights, len(made_of))
        ctx.save_for_backward(*made_of)
        return _joined(ready(), blocks, like, points)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        made_of, done = ctx.saved_tensors, 0
        totals = [torch.zeros_like(one) if one.requires_grad else None for one in made_of]
        for encode, numbers, points in ctx.blocks:
            with torch.enable_grad():
                values = ctx.ready()(Block(encode, tuple(made_of[i] for i in numbers), points))
            learnt = [i for i in (*numbers, *ctx.weights) if made_of[i].requires_grad]
            grad = grads[0][:, done : done + values.shape[1]]
            parts = torch.autograd.grad(values, [made_of[i] for i in learnt], grad)
            for i, part in zip(learnt, parts, strict=True):
                totals[i] += part
            done += values.shape[1]
        return None, None, None, None, None, *totals


def _joined(evaluate: Evaluate, blocks: Iterable[Block], like: Tensor, points: int) -> Tensor:
    """The values of all blocks, where no gradient is asked for: (channels, points)."""
    values, done = like.new_empty(like.shape[1], points), 0
    for block in blocks:
        part = evaluate(block)
        values[:, done : done + part.shape[1]] = part
        done += part.shape[1]
    return values
