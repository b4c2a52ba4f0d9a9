"""Sampling: batches that any team shares, rows and pixels without favour, rays within the box."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.rays import inside, march
from tomoinr.builtin.slices import Slices
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Rays
from tomoinr.sampling import Draw, scattered, stratified_rows
from tomoinr.team import Solo

SHAPE = (5, 7, 9)


def flat(pixels, shape=SHAPE):
    _, rows, columns = shape
    index = (pixels.view * rows + pixels.row) * columns + pixels.column
    return index.expand(pixels.shape).flatten()


@pytest.mark.parametrize("projector", [Quadrature, Slices])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_a_team_shares_the_batch_that_one_would_draw(projector, size):
    series = TiltSeries(torch.zeros(SHAPE), torch.arange(5.0))
    part = projector(projector.Options(), series.grid())
    alone = part.sample(series, 90, Draw(3, 4))
    shared = []
    for rank in range(size):
        team = Solo()
        team.rank, team.size = rank, size
        batch = part.sample(series, 90, Draw(3, 4))  # every rank draws for itself
        shared.append(flat(batch.part(team.share(len(batch)))))
    assert torch.equal(torch.cat(shared).sort().values, flat(alone).sort().values)


def test_draws_depend_on_seed_stream_and_step_alone():
    def numbers(seed, stream, step):
        return tuple(Draw(seed, step).uniform(stream, 8).tolist())

    keys = [(s, k, t) for s in (0, 1, 2**63 - 1) for k in (0, 1, 7) for t in (0, 1, 10**6)]
    drawn = {key: numbers(*key) for key in keys}
    assert len(set(drawn.values())) == len(keys)
    assert all(numbers(*key) == drawn[key] for key in reversed(keys))
    # A stretch of one step's numbers is never the start of another's.
    long = Draw(0, 0).uniform(0, 100_000).numpy()
    assert not np.isin(Draw(0, 1).uniform(0, 4).numpy()[:1], long[:1]).any()


def test_streams_and_steps_are_not_correlated():
    draws = [Draw(0, t).uniform(k, 20_000).numpy() for t in (0, 1) for k in (0, 1)]
    correlation = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlation).max() < 0.03
    assert all(abs(d.mean() - 0.5) < 0.01 and d.min() >= 0 and d.max() < 1 for d in draws)


def test_scattered_pixels_fall_everywhere_alike():
    counts = torch.zeros(int(np.prod(SHAPE)))
    for step in range(50):
        pixels = scattered(SHAPE, 1000, Draw(1, step))
        assert pixels.shape == (1000,)
        for index, size in zip((pixels.view, pixels.row, pixels.column), SHAPE, strict=True):
            assert int(index.min()) >= 0 and int(index.max()) < size
        counts += torch.bincount(flat(pixels), minlength=len(counts))
    expected = 50_000 / len(counts)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = len(counts) - 1
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 99))
def test_stratified_rows_are_as_many_as_asked_for_and_apart(rows, count, step):
    found = stratified_rows(rows, count, Draw(0, step)).numpy()
    n = min(rows, count)
    assert len(found) == n and len(set(found)) == n
    assert (np.diff(found) > 0).all() and found[0] >= 0 and found[-1] < rows
    # One from each strip: no gap is longer than two strips.
    gaps = np.diff(found, append=found[0] + rows)
    assert gaps.max() < 2 * np.ceil(rows / n)


@pytest.mark.parametrize(("rows", "count"), [(3, 2), (7, 4), (10, 3), (16, 8)])
def test_stratified_rows_favour_none(rows, count):
    draws = 3000
    found = np.concatenate([stratified_rows(rows, count, Draw(5, t)) for t in range(draws)])
    share = np.bincount(found, minlength=rows) / draws
    assert np.abs(share - count / rows).max() < 0.05


GRID = Grid((6, 8, 10), 1.5, (1.0, -2.0, 0.5))
UNIT = st.floats(-1, 1)


@settings(max_examples=200)
@given(st.tuples(UNIT, UNIT, UNIT), st.tuples(UNIT, UNIT, UNIT))
def test_rays_enter_and_leave_at_the_faces(through, towards):
    """A ray through a point of the box: both ends on its surface, all between them inside."""
    direction = torch.tensor(towards, dtype=torch.float64)
    if float(direction.norm()) < 0.1:
        direction = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    direction = direction / direction.norm()
    centre, half = torch.tensor(GRID.centre).double(), torch.tensor(GRID.extent).double() / 2
    origin = centre + 0.99 * torch.tensor(through, dtype=torch.float64) * half - 7 * direction
    enter, leave = inside(Rays(origin, direction), GRID)
    assert float(enter) <= 7 <= float(leave)
    for end in (enter, leave):
        reach = ((origin + end * direction - centre) / half).abs()
        assert float(reach.max()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (0.6, 0, 0.8), (0.48, 0.6, 0.64)])
def test_a_ray_that_misses_has_no_length(direction):
    direction = torch.tensor(direction, dtype=torch.float32)
    side = torch.linalg.cross(direction, torch.tensor([0.3, 0.5, -0.2]))
    origin = torch.tensor(GRID.centre) + 20 * side / side.norm()
    points, step = march(Rays(origin[None], direction[None]), GRID, 5)
    assert step.tolist() == [0] and points.isfinite().all()


def test_steps_cover_the_chord_evenly_and_jitter_stays_within_them():
    direction = torch.tensor([[0.6, 0.0, 0.8]])
    rays = Rays(torch.tensor([GRID.centre]) - 20 * direction, direction)
    enter, leave = inside(rays, GRID)
    chord = 2 * 6.0 / 0.8  # through the middle, from z face to z face
    assert float(leave - enter) == pytest.approx(chord, rel=1e-5)
    points, step = march(rays, GRID, 12)
    along = ((points - rays.origin[:, None]) * direction).sum(-1)[0]
    assert float(step) * 12 == pytest.approx(chord, rel=1e-5)
    assert np.diff(along) == pytest.approx(float(step), rel=1e-4)
    assert float(along[0] - enter) == pytest.approx(float(step) / 2, rel=1e-3)
    jitter = torch.rand(1, 12)
    moved, _ = march(rays, GRID, 12, jitter)
    shifts = ((moved - points) * direction).sum(-1) / step
    assert torch.allclose(shifts, jitter - 0.5, atol=1e-4)
