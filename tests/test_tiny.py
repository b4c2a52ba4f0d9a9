"""Numbers in 8 bits: how large the error is, and that it does not pile up."""

import pytest
import torch

from tomoinr.builtin import short
from tomoinr.builtin.short import in_rows, portions
from tomoinr.builtin.tiny import Tiny, grain_of

SHAPES = [(3, 8, 16), (2, 7, 11), (300, 4)]  # a whole number of groups a row, or not


@pytest.fixture(autouse=True)
def many_portions(monkeypatch):
    monkeypatch.setattr(short, "PORTION", 64)


def kept(values, step=0):
    """What is left of them."""
    rows, held, dither = in_rows(values), Tiny.like(values), grain_of(values)
    for portion in portions(slice(0, len(rows)), rows.shape[1]):
        held.put(portion, portion.of(rows).clone(), dither.at(step, portion.rows))
    found = torch.empty_like(rows)
    for portion in portions(slice(0, len(rows)), rows.shape[1]):
        some = portion.of(found)
        some.copy_(held.at(portion, some.shape[1]))
    return found.view_as(values)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_error_is_at_most_a_unit(shape):
    values = torch.randn(shape)
    assert float((kept(values) - values).abs().max()) < float(values.abs().max()) / 125


@pytest.mark.parametrize("shape", SHAPES)
def test_its_mean_over_many_steps_is_far_less(shape):
    values = torch.randn(shape)
    mean = torch.stack([kept(values, step) for step in range(100)]).mean(0)
    assert float((mean - values).abs().max()) < float(values.abs().max()) / 125 / 20


def test_zeros_stay_zeros():
    assert not kept(torch.zeros(3, 8, 16)).any()


def test_small_numbers_beside_large_ones_have_units_of_their_own():
    values = torch.ones(2, 8, 16)
    values[1] = 1e-6
    assert float((kept(values) / values - 1).abs().max()) < 0.01
