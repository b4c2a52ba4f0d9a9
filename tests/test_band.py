"""What held-out images judge where images are large: a band of rows, with all that it needs."""

from dataclasses import replace

import torch

from tomoinr.builtin.auto import band as module
from tomoinr.builtin.auto.band import band, cropped
from tomoinr.builtin.fixed import Fixed
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo
from tomoinr.testing.parts import error
from tomoinr.testing.solvers import small_problem, truth


def turned() -> Problem:
    """Images that are turned and moved, so that rows see slices beside their own."""
    problem = small_problem()
    poses = Poses.of(problem.series.angles, torch.full((15,), 6.0), shift=torch.full((15, 2), 0.7))
    return replace(problem, poses=Fixed(NoOptions(), poses, problem.grid))


def test_a_band_sees_what_the_whole_sees(monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 0)
    monkeypatch.setattr(module, "FEWEST", 4)
    problem = turned()
    some, rows = band(problem, Solo())
    assert rows.stop - rows.start == 4 == some.series.shape[1]
    assert 4 < some.grid.shape[0] < problem.grid.shape[0]
    assert not some.voxels().any()
    seen = replace(some, volume=truth()).predict()
    assert error(seen, replace(problem, volume=truth()).predict()[:, :, rows]) < 1e-4


def test_it_is_where_images_show_most(monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 0)
    monkeypatch.setattr(module, "FEWEST", 3)
    problem = small_problem()
    images = torch.zeros_like(problem.series.images)
    images[:, :, 7:10, ::2] = 1
    assert band(replace(problem, series=replace(problem.series, images=images)), Solo())[
        1
    ] == slice(7, 10)


def test_small_images_are_taken_whole():
    problem = turned()
    some, rows = band(problem, Solo())
    assert rows == slice(0, problem.series.shape[1]) and some.grid == problem.grid
    assert torch.equal(some.series.images, problem.series.images)
    assert torch.equal(cropped(problem, rows).poses().shift, problem.poses().shift)
