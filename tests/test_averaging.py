"""The mean over the last part of a run: of large parameters as a difference in 8 bits."""

import copy

import pytest
import torch
from torch import nn

from tomoinr.builtin import short
from tomoinr.builtin.adam import ShortAdam
from tomoinr.builtin.averaging import Average
from tomoinr.builtin.tiny import Tiny

BETAS, STEPS = (0.9, 0.99), 40


@pytest.fixture(autouse=True)
def many_portions(monkeypatch):
    monkeypatch.setattr(short, "PORTION", 64)


class Walk:
    """A parameter that moves at random, and its average."""

    def __init__(self, follow, part=0.5, steps=STEPS):
        self.parameter = nn.Parameter(torch.linspace(0.1, 2, 300).reshape(3, 100).clone())
        self.average = Average([self.parameter], part, steps)
        watch = self.average if follow else None
        self.optimiser = ShortAdam([self.parameter], 1e-2, BETAS, watch, least=0.0)
        self.path = []

    def go(self, first, last):
        for step in range(first, last):
            random = torch.Generator().manual_seed(step)
            self.parameter.grad = torch.randn(self.parameter.shape, generator=random)
            self.average.begin(step + 1)
            self.optimiser.step()
            self.average.update()
            self.path.append(self.parameter.detach().clone())
        return self


@pytest.mark.parametrize(("follow", "error"), [(True, 0.04), (False, 1e-3)])
def test_it_is_the_mean_of_the_last_part(follow, error):
    """But for rounding, by a few hundredths of how far the parameter is off."""
    walk = Walk(follow).go(0, STEPS)
    last, mean = walk.path[-1], torch.stack(walk.path[STEPS // 2 :]).mean(0)
    with walk.average.applied():
        found = walk.parameter.detach().clone()
    assert torch.equal(walk.parameter, last)
    assert float((found - mean).norm()) < error * float((mean - last).norm())
    walk.average.apply()
    assert torch.equal(walk.parameter, found)


@pytest.mark.parametrize("follow", [True, False])
def test_nothing_is_held_before_it_begins(follow):
    walk = Walk(follow).go(0, STEPS // 2)
    assert not walk.average.begun and walk.average.state_dict() == [None]
    assert walk.go(STEPS // 2, STEPS // 2 + 1).average.begun


def test_a_run_of_unknown_length_has_a_mean_from_the_start():
    walk = Walk(follow=True, steps=None).go(0, 1)
    with walk.average.applied():
        assert torch.equal(walk.parameter, walk.path[-1])


def test_what_is_followed_takes_up_little_more_than_a_quarter():
    parameter = nn.Parameter(torch.zeros(2, 64, 64))
    held = Tiny.like(parameter)
    assert held.numbers.nbytes == parameter.nbytes // 4
    assert held.units.nbytes < 0.05 * held.numbers.nbytes


@pytest.mark.parametrize("follow", [True, False])
def test_it_goes_on_to_the_last_bit(follow):
    walk, again = Walk(follow).go(0, 25), Walk(follow).go(0, 25)
    again.average = Average([again.parameter], 0.5, STEPS)
    again.average.load_state_dict(copy.deepcopy(walk.average.state_dict()))
    again.optimiser.average = again.average if follow else again.optimiser.average
    for one in (walk, again):
        one.go(25, STEPS).average.apply()
    assert torch.equal(walk.parameter, again.parameter)
