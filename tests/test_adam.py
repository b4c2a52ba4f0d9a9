"""Adam in 16 bits: it walks the path of torch's own, and goes on from where it was."""

import pytest
import torch
from torch import nn

from tomoinr.builtin import optimisers, short
from tomoinr.builtin.adam import Adam, ShortAdam
from tomoinr.builtin.averaging import Average
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.optimisers import Optimisers
from tomoinr.builtin.short import Portion, Short
from tomoinr.testing.solvers import small_problem

BETAS = 0.9, 0.99


@pytest.fixture(autouse=True)
def many_portions(monkeypatch):
    monkeypatch.setattr(short, "PORTION", 64)


def start():
    return nn.Parameter(torch.linspace(-1, 1, 300).reshape(3, 100).clone())


def walk(parameter, optimiser, steps, size=1.0, first=0):
    """Slopes as of random batches: noisy, of all sizes, and for some numbers rare."""
    for step in range(first, first + steps):
        random = torch.Generator().manual_seed(step)
        noise = 1 + torch.randn(parameter.shape, generator=random)
        rare = (torch.arange(300) % 7 > 0) | (step % 20 == 0)
        weights = torch.logspace(-3, 3, 300) * rare
        parameter.grad = size * parameter.detach() * noise * weights.reshape(parameter.shape)
        optimiser.step()


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1e12])
@pytest.mark.parametrize(("adam", "tolerance"), [(Adam, 1e-4), (ShortAdam, 2e-3)])
def test_the_path_is_that_of_torch(adam, tolerance, size):
    """Whatever the unit, except for torch's own floor."""
    ours, theirs = start(), start()
    walk(ours, adam([ours], rate=3e-3, betas=BETAS), 200, size)
    walk(theirs, torch.optim.Adam([theirs], lr=3e-3, betas=BETAS), 200, size)
    moved, off = (float((p - q).detach().norm()) for p, q in ((theirs, start()), (ours, theirs)))
    assert moved > 1e-3 and off < tolerance * moved


def test_what_is_forgotten_is_forgotten():
    """A root that no slope renews fades as fast as torch's: it does not stay for rounding."""
    ours, theirs = start(), start()
    pair = ShortAdam([ours], 1e-2, BETAS), torch.optim.Adam([theirs], 1e-2, BETAS)
    for parameter, optimiser in zip((ours, theirs), pair, strict=True):
        for step in range(300):
            parameter.grad = torch.full_like(parameter, 1.0 if step == 0 else 0.0)
            optimiser.step()
    (state,) = pair[0].memories
    root = Short(state["root"], state["root units"]).at(Portion(slice(0, 1), slice(0, 64), 0))
    expected = pair[1].state[theirs]["exp_avg_sq"].sqrt()
    assert torch.allclose(root[0], expected.flatten()[:64], rtol=0.02)


@pytest.mark.parametrize("adam", [Adam, ShortAdam])
def test_it_goes_on_to_the_last_bit(adam):
    parameter = start()
    optimiser = adam([parameter], 1e-2, BETAS)
    walk(parameter, optimiser, 5)
    other = nn.Parameter(parameter.detach().clone())
    resumed = adam([other], 1e-2, BETAS)
    resumed.load_state_dict(optimiser.state_dict())
    for one, its in ((parameter, optimiser), (other, resumed)):
        walk(one, its, 5, first=5)
    assert torch.equal(other, parameter)


@pytest.mark.parametrize("together", [1, 2, 5])
def test_rows_may_come_in_any_groups(together):
    """To the last bit, with portions of several rows or of parts of one."""
    whole, parts = (nn.Parameter(torch.ones(2, 5, 4, 9)) for _ in range(2))
    pair = ShortAdam([whole], 1e-2, BETAS), ShortAdam([parts], 1e-2, BETAS)
    for seed in range(4):
        slope = torch.randn(whole.shape, generator=torch.Generator().manual_seed(seed))
        whole.grad = slope
        pair[0].step()
        move = pair[1].begin(parts)
        for first in range(0, 10, together):
            move.take(first, slope.flatten(0, 1).flatten(1)[first : first + together])
    assert torch.equal(whole, parts)


def test_nothing_goes_below_its_least():
    parameter = nn.Parameter(torch.linspace(0, 1, 300).reshape(3, 100))
    parameter.grad = torch.ones_like(parameter)
    ShortAdam([parameter], 0.5, BETAS, least=0.0).step()
    assert float(parameter.detach().min()) == 0
    assert float(parameter.detach().max()) == pytest.approx(0.5, abs=1e-3)


def test_moments_take_up_half():
    parameter = nn.Parameter(torch.zeros(100, 300))
    optimiser = ShortAdam([parameter], 1e-2, BETAS)
    parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    kept = sum(t.nbytes for t in optimiser.memories[0].values() if isinstance(t, torch.Tensor))
    assert kept < 1.2 * parameter.nbytes


@pytest.mark.parametrize(
    ("large", "second", "short"), [(True, 0.99, 1), (False, 0.99, 0), (True, 0.999, 0)]
)
def test_it_moves_large_parameters_whose_memory_is_short(large, second, short, monkeypatch):
    problem = small_problem()
    monkeypatch.setattr(optimisers, "LARGE", problem.volume.values.numel() + 1 - large)
    options = Joint.Options(betas=(0.9, second))
    made = Optimisers(problem, options, Average((), 0.0, 0)).members
    assert sum(isinstance(optimiser, ShortAdam) for optimiser in made) == short
