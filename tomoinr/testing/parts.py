"""What all parts share: a name, options that explain themselves, state that can be saved."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from tomoinr.interfaces import Component
from tomoinr.options import describe, parse, table

Build = Callable[..., Any]
M = TypeVar("M", bound=nn.Module)
KEPT = "keep what it was made from in its state: register_buffer"


class AnyPart:
    """The laws of every part; the fixture `part` returns a class, or (class, table of options)."""

    @pytest.fixture
    def part(self) -> Any:
        """The one thing a subclass gives."""
        raise NotImplementedError("define the fixture `part`: a class, or (class, options)")

    @pytest.fixture
    def build(self, part: Any) -> Build:
        """Makes the part, given whatever its kind takes after the options."""
        torch.manual_seed(0)
        cls, given = part if isinstance(part, tuple) else (part, {})
        return partial(cls, parse(cls.Options, given, cls.name))

    def test_has_a_name(self, build: Any) -> None:
        """A recipe can call it."""
        assert issubclass(build.func, Component)
        assert isinstance(build.func.name, str) and build.func.name

    def test_options_explain_themselves(self, build: Any) -> None:
        """Frozen, with a default and a meaning for each."""
        with pytest.raises(dataclasses.FrozenInstanceError):
            build.args[0].anything = 1
        for described in describe(build.func.Options):
            assert described.default is not dataclasses.MISSING, f"{described.name}: no default"
            assert described.meaning, f"{described.name}: no meaning"

    def test_options_survive_a_recipe(self, build: Any) -> None:
        """Options → table → the same options."""
        for options in (build.args[0], build.func.Options()):
            assert parse(build.func.Options, table(options), build.func.name) == options


def stir(module: nn.Module, size: float) -> None:
    """Move every parameter by random numbers of this size."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn_like(parameter))


def unreached(module: nn.Module, loss: Tensor) -> list[str]:
    """Names of the parameters that the loss has no finite, non-zero gradient for."""
    learning = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not learning:
        return []
    found = torch.autograd.grad(loss, list(learning.values()), allow_unused=True)
    pairs = zip(learning, found, strict=True)
    return [n for n, g in pairs if g is None or not g.isfinite().all() or not g.any()]


def restored(saved: nn.Module, fresh: M) -> M:
    """`fresh`, stirred and then given what was saved."""
    stir(fresh, 1.0)
    fresh.load_state_dict(copy.deepcopy(saved.state_dict()))
    return fresh


def error(found: Tensor, wanted: Tensor) -> float:
    """Relative difference, root mean square."""
    return float((found - wanted).detach().norm() / wanted.detach().norm())
