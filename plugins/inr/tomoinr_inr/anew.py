"""Functions of many points, in blocks whose way back is worked out when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tomoinr.gradients import place

Pieces = tuple[Tensor, ...]
Evaluate = Callable[["Block"], Tensor]


class Block(NamedTuple):
    """So many points, how their features are made, and of which tensors."""

    encode: Callable[..., Tensor]
    sources: Pieces
    points: int

    def features(self) -> Tensor:
        """(features, n)"""
        return self.encode(*self.sources)

    def alone(self) -> Group:
        """A group of one."""
        return Group(partial(_block, self.encode, self.points), self.sources)


class Group(NamedTuple):
    """Blocks that are made together of some tensors, whenever they are needed.

    `make` is told whether gradients may be sparse, then given the sources.
    """

    make: Callable[..., list[Block]]
    sources: Pieces

    def blocks(self, sparse: bool = False) -> list[Block]:
        """In their order."""
        return self.make(sparse, *self.sources)


class Anew(torch.autograd.Function):
    """Values that are computed once more on the way back, as functions of what is `learnt`.

    Nothing else is left behind on the way forward, not even a node of a graph for each block:
    thousands of them between large tensors leave holes in a CPU's memory that nothing fits in any
    more. So do thousands of gradients, which is why all are summed up in one place: in `.grad`
    itself where that is allowed (`tomoinr.gradients`), since tables are large. Tensors are saved,
    and groups know their numbers, so that they are let go before their own graph is walked.
    """

    @staticmethod
    def forward(
        ctx: Any,
        ready: Callable[[], Evaluate],
        weights: Pieces,
        groups: list[Group],
        points: int,
        like: Tensor,
        *made_of: Tensor,
    ) -> Tensor:
        """The values of all groups, of `points` in all: (channels, points), on `like`'s device."""
        number = {id(one): i for i, one in enumerate(made_of)}
        ctx.groups = [(g.make, [number[id(source)] for source in g.sources]) for g in groups]
        ctx.ready, ctx.weights = ready, [number[id(weight)] for weight in weights]
        ctx.save_for_backward(*made_of)
        return joined(ready(), groups, like, points)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Group after group: through its blocks to the pieces made for it, then to the sources."""
        made_of, done = ctx.saved_tensors, 0
        returned = _zeros(one for one in made_of if place(one) is None)
        totals = returned | _places(made_of)
        weights, sparse = [made_of[i] for i in ctx.weights], grads[0].device.type == "cpu"
        for make, numbers in ctx.groups:
            sources = [made_of[i] for i in numbers]
            with torch.enable_grad():
                blocks = make(sparse, *sources)
            pieces = {id(piece): piece for block in blocks for piece in block.sources}
            made = [p for key, p in pieces.items() if p.requires_grad and key not in totals]
            slopes = _zeros(made)
            for block in blocks:
                with torch.enable_grad():
                    values = ctx.ready()(block)
                grad = grads[0][:, done : done + values.shape[1]]
                _add_slopes(totals | slopes, (values,), (grad,), (*block.sources, *weights))
                done += values.shape[1]
            _add_slopes(totals, made, list(slopes.values()), sources)
        return None, None, None, None, None, *(returned.get(id(one)) for one in made_of)


def _zeros(tensors: Iterable[Tensor]) -> dict[int, Tensor]:
    """Where the gradients of those that need one are summed up, by their ids."""
    return {id(one): torch.zeros_like(one) for one in tensors if one.requires_grad}


def _places(tensors: Iterable[Tensor]) -> dict[int, Tensor]:
    """The gradients of those whose own are added to, by their ids."""
    found = ((id(one), place(one)) for one in tensors)
    return {key: grad for key, grad in found if grad is not None}


def _add_slopes(
    totals: dict[int, Tensor], of: Sequence[Tensor], grads: Sequence[Tensor], by: Iterable[Tensor]
) -> None:
    """The way back from some tensors to those they are made of, as far as these learn."""
    learnt = [one for one in by if id(one) in totals]
    if of and learnt:
        for one, part in zip(learnt, torch.autograd.grad(of, learnt, grads), strict=True):
            _add(totals[id(one)], part)


def _add(total: Tensor, part: Tensor) -> None:
    """To the rows that a sparse part speaks of: five times as fast as torch adds it."""
    if part.is_sparse:
        total.index_add_(0, part._indices()[0], part._values())
    else:
        total += part


def _block(
    encode: Callable[..., Tensor], points: int, sparse: bool, *sources: Tensor
) -> list[Block]:
    """What a group of one makes."""
    return [Block(encode, sources, points)]


def joined(evaluate: Evaluate, groups: Iterable[Group], like: Tensor, points: int) -> Tensor:
    """The values of all groups, where no gradient is asked for: (channels, points)."""
    values, done = like.new_empty(like.shape[1], points), 0
    for group in groups:
        for block in group.blocks():
            part = evaluate(block)
            values[:, done : done + part.shape[1]] = part
            done += part.shape[1]
    return values
