"""Finer voxels for a few slices at a time: what pieces show together, and what they find."""

from dataclasses import replace

import pytest
import torch

from tomoinr import TomoinrError, reconstruct
from tomoinr.builtin import rows
from tomoinr.builtin.auto import Auto, piece
from tomoinr.builtin.auto.box import gathered, spread
from tomoinr.builtin.auto.piece import Piece
from tomoinr.builtin.auto.piecewise import Piecewise
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.pose_steps import Evidence, normal_equations, slopes
from tomoinr.builtin.relocated import moved_to
from tomoinr.builtin.slices import Slices
from tomoinr.geometry import Pixels, Poses
from tomoinr.options import NoOptions
from tomoinr.team import Solo
from tomoinr.testing.solvers import GRID, go_on, small_problem, truth
from tomoinr.testing.threads import together

CPU = torch.device("cpu")
CORES = [slice(0, 4), slice(4, 9), slice(9, 12)]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Margins that leave something out, even here."""
    monkeypatch.setattr(piece, "MARGIN", 2)


def moved_problem():
    """Images turned and shifted, and a volume that explains them: sharp, on pixels' lattice."""
    problem = small_problem()
    tilts, random = len(problem.series.angles), torch.Generator().manual_seed(2)
    turn = torch.randn(tilts, generator=random)
    shift = GRID.spacing / 2 * torch.randn(tilts, 2, generator=random)
    poses = Poses.of(problem.series.angles.float(), turn, shift=shift)
    problem = replace(
        problem,
        poses=Fixed(NoOptions(), poses, GRID),
        projector=Slices(Slices.Options(warp="bicubic"), GRID),
    )
    with torch.no_grad():
        problem.volume.values.copy_(truth().voxels(GRID))
        return replace(problem, series=replace(problem.series, images=problem.predict()))


def pieces(problem, finer=2):
    fine = problem.projector.on(problem.grid.finer(finer))
    return [Piece(problem, core, finer, fine) for core in CORES]


def whole(problem, finer=2):
    """The same, all at once."""
    found = moved_to(problem, problem.grid.finer(finer), CPU)
    with torch.no_grad():
        found.volume.values.copy_(spread(problem.volume.values, finer))
    return found


@pytest.mark.parametrize("kinds", [0, 3])
def test_pieces_show_what_the_whole_shows(kinds):
    problem = moved_problem()
    fine, images = whole(problem), problem.series.images
    everything = Pixels.rows(problem.series.shape)
    wanted = rows.predicted(fine)[None]
    if kinds:
        wanted = torch.cat((wanted, slopes(fine, everything, kinds)))
    found = torch.zeros(1 + kinds, *images.shape)
    for one in pieces(problem):
        found[:, :, :, one.rows] += one.shown(kinds)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_a_piece_is_to_explain_its_rows_less_what_is_around():
    """Where the volume is right, what is left for a piece is what it shows by itself."""
    problem = moved_problem()
    assert len(pieces(problem)[0].problem.series.images[0, 0]) < GRID.shape[0]
    for one in pieces(problem, finer=1):
        left = one.problem.series.images - rows.predicted(one.problem)
        assert float(left.norm() / one.problem.series.images.norm()) < 1e-5


def test_what_a_piece_finds_goes_to_its_core_alone():
    problem = moved_problem()
    before = problem.volume.values.detach().clone()
    one = pieces(problem)[1]
    with torch.no_grad():
        one.problem.volume.values.add_(torch.rand_like(one.problem.volume.values))
    one.finish()
    after, core = problem.volume.values.detach(), CORES[1]
    held = slice(2 * 2, 2 * (2 + 5))  # beyond a margin of 2
    mean = gathered(one.problem.volume.values[:, held].detach(), after[:, core].shape)
    assert torch.equal(after[:, core], mean) and not torch.equal(mean, before[:, core])
    assert torch.equal(after[:, :4], before[:, :4]) and torch.equal(after[:, 9:], before[:, 9:])


def test_rows_a_few_at_a_time_are_all_rows_at_once(monkeypatch):
    problem = moved_problem()
    weights = torch.rand_like(problem.series.images)
    problem = replace(problem, series=replace(problem.series, images=weights.flip(3)))
    at_once = rows.predicted(problem), *normal_equations(Evidence(problem, weights), Solo(), 3)
    monkeypatch.setattr(rows, "PIXELS", 5 * problem.series.images[:, :, 0].numel())
    parts = list(rows.row_parts(Pixels.rows(problem.series.shape)))
    assert [len(part) for part in parts] == [5, 5, 2]
    for one, other in zip(
        (rows.predicted(problem), *normal_equations(Evidence(problem, weights), Solo(), 3)),
        at_once,
        strict=True,
    ):
        assert float((one - other).norm() / other.norm()) < 3e-5


OPTIONS = {"preview": 20, "rounds": 4, "round_steps": 20, "caution": 0.2}


def solved(team=None, **options):
    """The volume of the automatic solver, its state, and how far it is from the truth."""
    problem = moved_problem()
    expected = problem.volume.values.detach().clone()
    problem = replace(problem, volume=small_problem().volume)
    team = team or Solo()
    solver = Auto(Auto.Options(**OPTIONS, **options))
    state = solver.init(problem, team)
    losses = go_on(solver, problem, state, team, 10_000)
    found = problem.volume.values.detach()
    return found, state, float((found - expected).norm() / expected.norm()), losses


# Voxels along a pixel's edge, the steps of stages that go over pieces, and of all others.
LATTICES = [(2, [120, 120], 20 + 2 * 20), (1, [30, 30, 120, 120], 0)]


@pytest.mark.parametrize(("finer", "pieces", "others"), LATTICES)
def test_pieces_find_what_the_whole_finds(finer, pieces, others):
    at_once, _, error, _ = solved(finer=finer)
    found, state, off, losses = solved(finer=finer, together=5)
    assert [stage.steps for stage in state.stages if isinstance(stage, Piecewise)] == pieces
    assert len(losses) == state.of == others + sum(pieces)
    assert float((found - at_once).norm() / at_once.norm()) < 0.05
    assert off < 1.2 * error


@pytest.mark.parametrize("finer", [1, 2])
def test_ranks_find_the_same_in_pieces(finer):
    alone, _, _, losses = solved(finer=finer, together=5)
    for found, _, _, theirs in together(2, lambda team: solved(team, finer=finer, together=5)):
        assert theirs == pytest.approx(losses, rel=1e-3)
        assert float((found - alone).norm() / alone.norm()) < 1e-3


def test_as_many_rows_as_there_are_are_the_whole():
    _, state, _, _ = solved(together=GRID.shape[0])
    assert not any(isinstance(stage, Piecewise) for stage in state.stages)
    assert max(stage.finer for stage in state.stages) == 2


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_fewer_steps_than_pieces(steps):
    """Every piece takes one step at least, so that what is shown is all of it."""
    series = small_problem().series
    solver = {"name": "auto", "together": 2}
    result = reconstruct(series, solver=solver, poses="fixed", steps=steps)
    assert result.history[-1].step >= max(steps, 6) and result.history[-1].part == 1


def test_together_is_no_negative_number():
    with pytest.raises(TomoinrError, match="together"):
        reconstruct(small_problem().series, solver={"name": "auto", "together": -1})
