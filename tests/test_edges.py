"""The edges' duals of total variation, in few bits."""

import pytest
import torch

from tomoinr.builtin import edges
from tomoinr.builtin.edges import EdgeDuals
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.tv_state import TvState
from tomoinr.team import Solo
from tomoinr.testing import SolverContract
from tomoinr.testing.solvers import small_problem

SHAPE = 1, 6, 5, 7
EVERYTHING = slice(0, SHAPE[1])


@pytest.fixture
def large(monkeypatch):
    """Whatever its size."""
    monkeypatch.setattr(edges, "LARGE", 1)


def duals(first=0, slices=SHAPE[1]):
    nothing = EdgeDuals.nothing(torch.zeros(1, slices, *SHAPE[2:]), 1)
    return EdgeDuals(nothing, first), nothing


def test_small_volumes_keep_16_bits():
    kept = EdgeDuals.nothing(torch.zeros(SHAPE), among=edges.LARGE - 1)
    assert kept.dtype == torch.float16
    values = torch.rand(3, *SHAPE)
    one = EdgeDuals(kept, 0)
    one.keep(EVERYTHING, values.clone(), 1)
    assert torch.allclose(one.some(EVERYTHING), values, atol=1e-3)


def test_large_ones_are_off_by_less_than_a_unit(large):
    one, kept = duals()
    assert kept.dtype == torch.int8
    values = torch.linspace(-1.9, 1.9, kept.numel()).reshape(kept.shape)
    one.keep(EVERYTHING, values.clone(), 1)
    assert float((one.some(EVERYTHING) - values).abs().max()) < 1 / edges.UNITS
    one.keep(EVERYTHING, 100 * values, 2)
    assert float(one.some(EVERYTHING).abs().max()) <= edges.MOST / edges.UNITS + 1e-6


def test_in_time_and_space_rounding_favours_no_side(large):
    one, kept = duals()
    values = torch.full(kept.shape, 0.3 / edges.UNITS)
    total = torch.zeros(kept.shape)
    for step in range(300):
        one.keep(EVERYTHING, values.clone(), step)
        total += one.some(EVERYTHING) * edges.UNITS
    assert torch.allclose(total / 300, torch.full(kept.shape, 0.3), atol=0.02)
    assert float(one.some(EVERYTHING).mean() * edges.UNITS) == pytest.approx(0.3, abs=0.1)


def test_nothing_stays_nothing(large):
    one, _ = duals()
    for step in range(10):
        one.keep(EVERYTHING, torch.zeros(3, *SHAPE), step)
        assert not one.some(EVERYTHING).any()


def test_slabs_round_like_the_whole(large):
    values, (whole, _), (slab, _) = torch.rand(3, *SHAPE), duals(), duals(first=2, slices=3)
    whole.keep(EVERYTHING, values.clone(), 4)
    slab.keep(slice(0, 1), values[:, :, 2:3].clone(), 4)
    slab.keep(slice(1, 3), values[:, :, 3:5].clone(), 4)
    assert torch.equal(slab.some(slice(0, 3)), whole.some(slice(2, 5)))


@pytest.mark.parametrize("weighed", [True, False])
def test_few_bits_lead_to_the_same_volume(weighed, monkeypatch):
    found = []
    for least in (1 << 40, 1):
        monkeypatch.setattr(edges, "LARGE", least)
        problem, solver = small_problem(), Tv(Tv.Options(steps=150))
        weights = torch.ones_like(problem.series.images) if weighed else None
        state = TvState(problem, Solo(), 0.03, weights)
        while not solver.done(problem, state):
            solver.step(problem, state, Solo())
        found.append(problem.volume.values.detach())
    full, short = found
    assert float((short - full).norm() / full.norm()) < 0.005


class TestLargeVolumes(SolverContract):
    @pytest.fixture(autouse=True)
    def in_8_bits(self, large):
        pass

    @pytest.fixture
    def part(self):
        return Tv, {"steps": 20}
