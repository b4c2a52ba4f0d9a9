"""Muon: what it does to singular values, and that it walks the path of torch's own."""

import pytest
import torch
from torch import nn

from tomoinr.builtin.muon import Muon, orthogonal

SHAPES = [(16, 16), (64, 16), (16, 64), (128, 128), (3, 40), (1, 8)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_singular_values_come_near_one(shape, size):
    # Square random matrices have values near zero, which five steps cannot lift all the way.
    matrix = torch.randn(shape) + 2 * torch.eye(*shape) * max(shape) ** 0.5
    values = torch.linalg.svdvals(orthogonal(size * matrix))
    assert float(values.min()) > 0.6 and float(values.max()) < 1.25


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_vectors_stay(shape):
    matrix = torch.randn(shape, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonal(matrix) @ v.T
    off = inner - torch.diag(torch.diag(inner))
    assert float(off.abs().max()) < 1e-6
    assert (torch.diag(inner)[s > 0.05 * s.max()] > 0.3).all()


def test_no_gradient_no_step():
    still, moved = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    optimiser = Muon([still, moved], rate=0.1, momentum=0.9)
    moved.grad = torch.zeros(4, 4)
    optimiser.step()
    assert torch.equal(still, torch.ones(4, 4)) and torch.equal(moved, torch.ones(4, 4))


def walked(make, gradients, shape):
    parameter = nn.Parameter(torch.zeros(shape))
    optimiser = make([parameter])
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
    return parameter.detach()


@pytest.mark.parametrize("shape", [(32, 32), (64, 16), (16, 64)])
def test_walks_like_torchs_own(shape):
    theirs = getattr(torch.optim, "Muon", None)
    if theirs is None:
        pytest.skip("this torch has no Muon")
    # Gradients of full rank, so that torch's bfloat16 does not decide.
    gradients = [torch.randn(shape) + 4 * torch.eye(*shape) for _ in range(5)]
    ours = walked(lambda p: Muon(p, rate=0.01, momentum=0.95), gradients, shape)
    other = walked(lambda p: theirs(p, lr=0.01, momentum=0.95, weight_decay=0.0), gradients, shape)
    assert float((ours - other).norm() / other.norm()) < 0.03
