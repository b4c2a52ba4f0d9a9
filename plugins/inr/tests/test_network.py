"""Fused layers, and what happens where nothing can be compiled."""

import pytest
import torch

from tomoinr.geometry import Grid
from tomoinr_inr import network
from tomoinr_inr.network import Fused


@pytest.fixture
def compilers(monkeypatch):
    """Every use of a `torch.compile` that, like the real one, fails when first called."""
    uses = []

    def compile(function, **options):
        def fails(*inputs):
            uses.append(inputs)
            raise RuntimeError("Cannot find a working triton installation.\nSet DEBUG=1")

        return fails

    monkeypatch.setattr(torch, "compile", compile)
    return uses


def layers(count):
    torch.manual_seed(0)
    matrices = [(torch.randn(8, 8), torch.randn(8, 1)) for _ in range(count)]
    return matrices, (torch.randn(1, 8), torch.randn(1, 1)), True


def test_without_a_compiler_the_plain_layers_serve(compilers, caplog):
    """One try for all times, one line of warning, the same numbers."""
    fused, features = Fused(), torch.randn(8, 5)
    for count in (1, 3):
        wanted = network._run(*layers(count), features.clone())
        torch.testing.assert_close(fused(*layers(count), features.clone()), wanted)
    assert len(compilers) == 1
    (warning,) = caplog.messages
    assert "triton" in warning and "slower" in warning and "\n" not in warning


def test_mistakes_are_not_hidden(compilers):
    with pytest.raises(RuntimeError, match="shape"):
        Fused()(*layers(1), torch.randn(7, 5))


def test_half_precision_keeps_half(make):
    """The layers before the last: their share of the bytes of a point."""
    single, half = (make("siren", Grid((4, 4, 4)), precision=p) for p in ("single", "half"))
    assert single.field.network.cost() == 4 * (64 + 6 * 64)
    assert half.field.network.cost() == 4 * 64 + 2 * 6 * 64
