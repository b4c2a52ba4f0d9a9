"""Gradients that a function's way back adds to their place itself."""

import torch
from torch import nn

from tomoinr.gradients import backward, place


class Squares(torch.autograd.Function):
    """x², whose way back returns nothing where there is a place for it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        into = place(x)
        if into is None:
            return 2 * x * grad
        into += 2 * x * grad
        return None


def test_they_add_up_where_the_learnt_is():
    x = nn.Parameter(torch.tensor([1.0, 2.0]))
    for _ in range(2):
        backward(Squares.apply(x).sum() + x.sum())
    assert x.grad.tolist() == [6, 10]


def test_what_was_worked_out_has_no_place():
    x = nn.Parameter(torch.tensor([1.0, 2.0]))
    backward(Squares.apply(3 * x).sum())
    assert x.grad.tolist() == [18, 36]


def test_whoever_asks_otherwise_finds_nothing_left_behind():
    x = nn.Parameter(torch.tensor([1.0, 2.0]))
    backward(Squares.apply(x).sum())
    (found,) = torch.autograd.grad(Squares.apply(x).sum(), x)
    assert found.tolist() == x.grad.tolist() == [2, 4]
    Squares.apply(x).sum().backward()
    assert x.grad.tolist() == [4, 8]
