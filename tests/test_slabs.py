"""Ranks hold slabs of the volume: what they find together is what one finds alone."""

from dataclasses import replace

import pytest
import torch

from tomoinr.builtin import blocks
from tomoinr.builtin.fbp import Fbp
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.linear import LinearMap
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.slabs import Slab, reach_of, slab_of
from tomoinr.builtin.tv import Tv, minimise
from tomoinr.builtin.tv_state import TvState
from tomoinr.geometry import Grid, Pixels, Poses
from tomoinr.options import NoOptions, parse
from tomoinr.team import Solo
from tomoinr.testing.solvers import GRID, go_on, small_problem
from tomoinr.testing.threads import together


@pytest.fixture(autouse=True, params=["one block", "small blocks"])
def several_blocks(request, monkeypatch):
    """Halos, too, are worked on a few slices at a time."""
    if request.param == "small blocks":
        monkeypatch.setattr(blocks, "SLICES", 2)
        monkeypatch.setattr(blocks, "VOXELS", 1)


def problem(along=0.0, turn=0.0, views=slice(None)):
    """Images shifted along the axis (pixels) and turned (degrees), by so much at most."""
    found = small_problem()
    tilts = len(found.series.angles)
    shift = torch.zeros(tilts, 2)
    shift[:, 1] = GRID.spacing * along * torch.linspace(-1, 1, tilts)
    turns = turn * torch.linspace(1, -1, tilts)
    poses = Poses.of(found.series.angles.float(), turns, shift=shift)
    poses = Poses(poses.rotation[views], poses.shift[views])
    series = found.series.select(list(range(tilts))[views])
    return replace(found, series=series, poses=Fixed(NoOptions(), poses, GRID))


def rows(found, team):
    every = Pixels.rows(found.series.shape)
    return every.part(team.share(len(every)))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_neighbours_swap(size):
    def work(team):
        mine = torch.full((2, 3), float(team.rank))
        return [float(t[1, 2]) for t in team.swap(mine, mine + 0.5)]

    for rank, (before, after) in enumerate(together(size, work)):
        assert before == (rank - 0.5 if rank else 0)
        assert after == (rank + 1 if rank + 1 < size else rank + 0.5)


@pytest.mark.parametrize(("along", "turn"), [(0, 0), (1, 0), (0.4, 3)])
def test_halos_hold_all_that_the_rows_see(along, turn):
    """A volume that is nothing beside the slab casts the same shadow on the rank's rows."""

    def work(team):
        mine = problem(along, turn)
        slab, pixels = Slab(mine, rows(mine, team), team), rows(mine, team)
        whole = torch.rand(GRID.shape, generator=torch.Generator().manual_seed(3))
        mine.volume.values.data[0] = whole
        wanted = mine.predict(pixels)
        here = slab.problem(mine)
        off = (here.predict(pixels) - wanted).detach().abs().max()
        return slab, float(off / wanted.detach().abs().max())

    for slab, off in together(2, work):
        assert off < 1e-5
        assert not slab.whole and slab.held.stop - slab.held.start < GRID.shape[0]


def test_where_rows_see_more_than_the_neighbours_have_everyone_holds_all():
    slabs = together(3, lambda team: Slab(problem(5), rows(problem(5), team), team))
    assert all(slab.whole and slab.held == slice(0, 12) for slab in slabs)
    assert [slab.own for slab in slabs] == [slice(0, 4), slice(4, 8), slice(8, 12)]


def test_a_tilted_axis_reaches_further():
    upright, leaning = problem(), problem()
    angles = upright.series.angles.float()
    leaning = replace(leaning, poses=Fixed(NoOptions(), Poses.of(angles, 0.0, 8.0), GRID))
    some = Pixels.rows(upright.series.shape).part(slice(5, 7))
    assert reach_of(leaning, some, slice(5, 7)) > reach_of(upright, some, slice(5, 7)) >= 1


def test_a_slab_lies_where_its_slices_lie():
    grid = Grid((12, 4, 6), 2.5, (3.0, 7.0, -2.0))
    some = slab_of(grid, slice(3, 8))
    assert torch.allclose(some.points(), grid.points()[3:8])


@pytest.mark.parametrize("size", [2, 3])
def test_what_halos_have_gathered_goes_home(size):
    """The adjoint of slabs is the whole one's; filled, halos are their owners'."""

    def work(team):
        mine = problem(0.5, 1)
        matrix = LinearMap(mine, team)
        images = torch.rand(mine.series.images.shape, generator=torch.Generator().manual_seed(1))
        back = matrix.adjoint(images[:, :, rows(mine, team).row.flatten()])
        matrix.slab.fill_(back)
        return matrix.slab, back

    ((_, wanted),) = together(1, work)
    for slab, found in together(size, work):
        assert torch.allclose(found, slab.cut(wanted), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", [Sirt, Tv, Fbp])
@pytest.mark.parametrize(("along", "turn"), [(0.7, 2), (5, 0)])
def test_ranks_find_the_same(kind, along, turn):
    def work(team):
        mine = problem(along, turn)
        solver = kind(parse(kind.Options, {}, ""))
        state = solver.init(mine, team)
        return go_on(solver, mine, state, team, 6), mine.voxels()

    ((losses, wanted),) = together(1, work)
    for theirs, found in together(3, work):
        assert theirs == pytest.approx(losses, rel=1e-5)
        assert float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_total_variation_goes_on_where_slabs_are_others():
    """Poses that move between two rounds change how deep halos are."""

    def work(team):
        last = None
        volume, deep = problem().volume, []
        for along in (0.0, 1.5):
            mine = replace(problem(along), volume=volume)
            weights = torch.ones_like(mine.series.images)
            last = TvState(mine, team, 0.03, weights, last)
            deep.append(last.map.slab.held)
            minimise(mine, last, team, 5)
        return deep, volume.values.data

    ((_, wanted),) = together(1, work)
    for deep, found in together(2, work):
        assert deep[0] != deep[1] and float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_the_whole_takes_up_no_memory_on_the_way():
    def work(team):
        mine, solver = problem(), Sirt(Sirt.Options(steps=3))
        state, sizes = solver.init(mine, team), []
        while not solver.done(mine, state):
            solver.step(mine, state, team)
            sizes.append(mine.volume.values.data.untyped_storage().nbytes())
        return sizes

    whole = 4 * problem().volume.values.numel()
    assert together(2, work) == [[4, 4, whole]] * 2 and together(1, work) == [[whole] * 3]


def test_one_rank_copies_nothing():
    mine = problem()
    matrix = LinearMap(mine, Solo())
    assert matrix.parameter is next(mine.volume.parameters())
