"""Gradients that are summed up in their place, where others would hold them twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_wanted = ContextVar("_wanted", default=False)


def backward(cost: Tensor) -> None:
    """The same as its own, but a function's way back may add to `place` itself, and return none.

    Autograd alone knows too little for that: whoever asks for gradients without leaving them behind
    (`torch.autograd.grad`) must not find them there.
    """
    with _in_place():
        cost.backward()


def place(tensor: Tensor) -> Tensor | None:
    """Where to add the gradient of something learnt; none where it is to be returned."""
    if not (_wanted.get() and tensor.is_leaf and tensor.requires_grad):
        return None
    if tensor.grad is None:
        tensor.grad = torch.zeros_like(tensor)
    return tensor.grad


@contextmanager
def _in_place() -> Iterator[None]:
    """On this thread: that of a GPU's way back is another one, and returns what it finds."""
    before = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(before)
